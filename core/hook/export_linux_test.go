package hook

// WithoutNamespaces makes the runner do as on a system that gives it none.
func (r *Runner) WithoutNamespaces() { r.choices = []namespaces{{}} }

// WithoutQuestions lets the runner behave as on a system where, besides, a sandbox asks of each process that starts.
func (r *Runner) WithoutQuestions() { r.choices = []namespaces{{Unasked: true}} }

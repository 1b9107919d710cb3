package hook

// WithoutNamespaces makes the runner do as on a system that gives it none.
func (r *Runner) WithoutNamespaces() { r.choices = []namespaces{{}} }

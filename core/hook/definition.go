package hook

import (
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Hook defines one program that looks at sources, or at an image, for us. A Hook is data: it starts nothing.
type Hook struct {
	// Name is unique, and the name of the examination.
	Name string
	// Argv is the program and its arguments; no shell sees them. The program is looked up in the PATH. Placeholders are
	// {source}, the directory that is scanned; {output}, the report file to write, and {out}, its folder; {config}, the file made of Config;
	// {modules}, the folder node_modules that the program is in; {gomodcache} and {home}; {image}, the local image; and an argument {files}, which becomes all files that select the hook.
	Argv []string
	// Languages or Files select the hook: languages by their names, files by patterns of path.Match over the name, or over
	// the whole path if there is a slash in them.
	Languages []string
	Files     []string
	// Each makes the hook run once in each directory that holds a file of this name ("go.mod"); empty: once, at the top.
	Each string
	// Over is what the hook looks at: OverSource or OverImage.
	Over string
	// From is where the report is: FromStdout, FromStderr or FromFile, and Format its format, for people.
	From   string
	Format string
	// ReportFile is the name of a report in a file.
	ReportFile string
	// Exits are the exit codes that are no failure.
	Exits []int
	Class Class
	// Version tells how the program's version is asked for, and which one it must be.
	Version Version
	// SHA256 is what the program's file must hash to, in lower-case hex; empty: whatever it is.
	SHA256 string
	// Needs are other programs that it starts, and without which it does not run.
	Needs []string
	// Reads are files and directories that it reads besides its installation and the source. {home} is the user's home
	// directory.
	Reads []string
	// Env are variables that are set for it, with the placeholders of Argv.
	Env map[string]string
	// Config is a file that is written for it, named ConfigName.
	ConfigName string
	Config     string

	Limits Limits
	// Network are the hosts that it may reach, as HOST or HOST:PORT; the port is 443 otherwise. Secrets are names of
	// variables that it gets. UnixSockets lets it open unix sockets, which cannot be told apart. All are none by default.
	Network     []string
	Secrets     []string
	UnixSockets bool

	// Install is how to get the program.
	Install string
	// Proved is true if a test of this repository runs the program; otherwise Source says where its use is documented.
	Proved bool
	Source string
	// Asked is true for a hook that the user named. One that was chosen because of the languages is left out where it
	// cannot run; one that was asked for is then a gap.
	Asked bool
}

// What a hook looks at, and where it reports.
const (
	OverSource = "source"
	OverImage  = "image"

	FromStdout = "stdout"
	FromStderr = "stderr"
	FromFile   = "file"
)

// Class says what a hook does with the project's code.
type Class string

// The classes.
const (
	// ClassStatic only reads the project's files.
	ClassStatic Class = "static"
	// ClassExecutes runs code of the project or of what it depends on: builds, tests, plugins, configuration that is code.
	ClassExecutes Class = "executes-project-code"
)

// Version says how to ask a program for its version.
type Version struct {
	Argv []string // the program's name is the first
	// Pattern is a regular expression whose first group is the version.
	Pattern string
	// Want is the version that it must be; empty: any.
	Want string
}

// Limits bound one run of a hook. All processes of a hook together count.
type Limits struct {
	Time   time.Duration
	Memory int64 // bytes
	Output int64 // bytes of the report, and of each standard stream
	Disk   int64 // bytes in its own folder
	Tasks  int   // processes and, where a namespace bounds them, threads
}

// defaultLimits hold where a definition says nothing. A compiler of a large project fits.
func defaultLimits() Limits {
	return Limits{Time: 10 * time.Minute, Memory: 4 << 30, Output: 512 << 20, Disk: 4 << 30, Tasks: 1024}
}

// Granted are the grants of a hook, for its examination.
func (h *Hook) Granted() []string {
	var all []string
	for _, host := range h.Network {
		all = append(all, "network: "+host)
	}
	for _, name := range h.Secrets {
		all = append(all, "secret: "+name)
	}
	if h.UnixSockets {
		all = append(all, "unix sockets")
	}
	return all
}

// reserved are names of examinations that are not a hook's.
func reserved() []string {
	return []string{core.ExamineTarget, core.ExamineLayers, core.ExaminePackages, core.ExamineAdvisories, core.ExamineDistro,
		core.ExamineSecrets, "secret", core.ExamineMisconfigurations, core.ExamineCharts, "misconfig", "misconfiguration", "base-signatures",
		"sonarqube", "suppressions", "import", "policy", "baseline", "vex", "auto", "none"}
}

package hook

import (
	"encoding/xml"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
)

// readCppcheck reads "cppcheck --xml", version 2.
//
// https://cppcheck.sourceforge.io/manual.html#xml-output
func readCppcheck(in input, b *builder) error {
	b.tool("Cppcheck", "")
	var open *cppcheckError
	done := func() error {
		if open == nil {
			return nil
		}
		e := open
		open = nil
		return e.add(b)
	}
	err := eachElement(in, func(path []string, e xml.StartElement, all *elements) error {
		switch e.Name.Local {
		case "results":
			if v := attribute(e, "version"); v != "2" {
				return all.fail("want results of version 2: run cppcheck with --xml-version=2")
			}
		case "cppcheck":
			b.tool("Cppcheck", attribute(e, "version"))
		case "error":
			if err := done(); err != nil {
				return err
			}
			open = &cppcheckError{flaw: flaw{rule: attribute(e, "id"), title: attribute(e, "msg"),
				severity: severity(attribute(e, "severity"))},
				level: attribute(e, "severity"), file0: attribute(e, "file0")}
			if cwe := attribute(e, "cwe"); cwe != "" {
				open.weaknesses = []string{"CWE-" + cwe}
			}
		case "location":
			return open.locate(e, all)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return done()
}

type cppcheckError struct {
	flaw
	level, file0 string
}

// locate takes the first location, which is that of the flaw.
func (x *cppcheckError) locate(e xml.StartElement, all *elements) (err error) {
	if x == nil {
		return all.fail("a location of no error")
	}
	if x.path != "" {
		return nil
	}
	x.path = attribute(e, "file")
	if x.line, err = all.number(attribute(e, "line")); err != nil {
		return err
	}
	x.column, err = all.number(attribute(e, "column"))
	return err
}

func (x *cppcheckError) add(b *builder) error {
	if x.path == "" {
		x.path = x.file0
	}
	switch {
	case slices.Contains([]string{"syntaxError", "internalError", "internalAstError", "cppcheckError",
		"preprocessorErrorDirective",
		"unknownMacro", "noValidConfiguration", "instantiationError"}, x.rule):
		b.gap("Cppcheck could not look into %s: line %d: %s", b.roots.Path(x.path), x.line, x.title)
		return nil
	case x.level == "information", x.level == "debug":
		return nil // about the run, not about the code
	case x.level == "performance", x.level == "portability":
		x.severity = core.SeverityLow
	}
	return b.flaw(x.flaw)
}

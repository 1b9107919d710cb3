package sarif

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
	"github.com/cleanbill-ci/cleanbill/core/internal/treepath"
)

// context is what the results of one run refer to.
type context struct {
	reader     *jsonstream.Reader
	roots      treepath.Roots
	tool       component
	extensions []component
	taxonomies []component
	bases      map[string]place
	artifacts  []place
	overrides  []override
	gaps       []string
	image      Image
	kept       int // bytes of text
}

// component is a tool, one of its extensions, or a taxonomy.
type component struct {
	name, version, guid string
	rules               []rule
	byID                map[string]int
	messages            map[string]string
	taxa                []string // ids
}

// rule is what results inherit.
type rule struct {
	id, guid, name, short, help, level, score string
	tags, weaknesses                          []string
	related                                   []reference
	messages                                  map[string]string
}

// place is an artifactLocation: a URI reference, what it is relative to, or the number of an artifact.
type place struct {
	uri, base string
	index     int // -1 if there is none
}

// override changes the level of a rule for a run.
type override struct {
	rule  reference
	level string
}

// reference is a reportingDescriptorReference.
type reference struct {
	id, guid  string
	index     int // -1 if there is none
	component componentReference
}

type componentReference struct {
	name, guid string
	index      int // -1 is the driver
}

// read reads everything of a run but its results.
func (c *context) read() error {
	r := c.reader
	tool := false
	err := r.Object(func(name string) error {
		switch name {
		case "tool":
			tool = true
			return c.readTool()
		case "taxonomies":
			return c.components(&c.taxonomies)
		case "originalUriBaseIds":
			return c.object(func(id string) error {
				p, err := c.place()
				c.bases[id] = p
				return err
			})
		case "artifacts":
			return c.array(func(i int) error {
				if i == maxArtifacts {
					return r.Fail(fmt.Sprintf("more than %d artifacts", maxArtifacts))
				}
				return c.artifact()
			})
		case "invocations":
			return c.array(func(int) error { return c.invocation() })
		case "externalPropertyFileReferences":
			return c.object(func(name string) error {
				if name != "taxonomies" && name != "translations" { // those say what ids mean, and find nothing
					c.gap("parts of the report are in other files, which are not read")
				}
				return nil
			})
		case "versionControlProvenance":
			return c.array(func(int) error {
				return c.object(func(name string) error {
					if name != "mappedTo" {
						return nil
					}
					p, err := c.place()
					c.roots = c.roots.With(p.uri)
					return err
				})
			})
		case "properties":
			return c.imageProperties()
		}
		return nil
	})
	if err == nil && !tool {
		return r.Fail("the run does not name its tool")
	}
	return err
}

// finish does what takes all of the run: it makes roots of the base URIs that are absolute, of those with a root's name
// if there are any, and looks up the weaknesses that rules relate to.
func (c *context) finish() error {
	if c.tool.name = title(c.tool.name); c.tool.name == "" {
		return c.reader.Fail("the tool of the run has no name")
	}
	named := false
	for id, p := range c.bases {
		named = named || p.uri != "" && isRoot(id)
	}
	for id, p := range c.bases {
		if p.base == "" && p.uri != "" && (!named || isRoot(id)) {
			c.roots = c.roots.With(p.uri)
		}
	}
	for _, of := range append(c.extensions, c.tool) {
		for i := range of.rules {
			for _, ref := range of.rules[i].related {
				of.rules[i].weaknesses = c.taxon(of.rules[i].weaknesses, ref)
			}
		}
	}
	return nil
}

// object, array and text are those of the reader, but take null for absence, as some writers do.
func (c *context) object(member func(name string) error) error {
	if c.reader.Null() {
		return nil
	}
	return c.reader.Object(member)
}

func (c *context) array(element func(i int) error) error {
	if c.reader.Null() {
		return nil
	}
	return c.reader.Array(element)
}

// few reads an array of what is kept in memory, of which there are not many.
func (c *context) few(element func() error) error {
	return c.array(func(i int) error {
		if i == maxElements {
			return c.reader.Fail(fmt.Sprintf("more than %d elements", maxElements))
		}
		return element()
	})
}

func (c *context) text(s *string) (err error) {
	if c.reader.Null() {
		return nil
	}
	*s, err = c.reader.String(maxText)
	return err
}

// keep is text, of something that stays in memory until the run is read.
func (c *context) keep(s *string) error {
	if err := c.text(s); err != nil {
		return err
	}
	if c.kept += len(*s) + textCost; c.kept > maxKept {
		return c.reader.Fail(fmt.Sprintf("rules, artifacts and notifications of more than %d bytes", maxKept))
	}
	return nil
}

func (c *context) number(n *int) (err error) {
	if c.reader.Null() {
		return nil
	}
	*n, err = c.reader.Int()
	return err
}

func (c *context) texts(list *[]string) error {
	return c.array(func(int) error {
		if c.reader.Kind() != '"' {
			return nil // what stands between tags that are strings is none of ours
		}
		var s string
		err := c.keep(&s)
		*list = append(*list, s)
		return err
	})
}

func (c *context) gap(why string) {
	switch {
	case slices.Contains(c.gaps, why):
	case len(c.gaps) < maxGaps:
		c.gaps = append(c.gaps, why)
	case len(c.gaps) == maxGaps:
		c.gaps = append(c.gaps, "and it says more than is kept here")
	}
}

func (c *context) readTool() error {
	return c.reader.Object(func(name string) error {
		switch name {
		case "driver":
			return c.component(&c.tool)
		case "extensions":
			return c.components(&c.extensions)
		}
		return nil
	})
}

func (c *context) components(list *[]component) error {
	return c.array(func(i int) error {
		if i == maxRuns {
			return c.reader.Fail(fmt.Sprintf("more than %d components", maxRuns))
		}
		var one component
		err := c.component(&one)
		*list = append(*list, one)
		return err
	})
}

func (c *context) component(out *component) error {
	out.byID = map[string]int{}
	versions := map[string]string{}
	err := c.reader.Object(func(name string) error {
		switch name {
		case "name":
			return c.keep(&out.name)
		case "guid":
			return c.keep(&out.guid)
		case "version", "semanticVersion", "dottedQuadFileVersion":
			var v string
			err := c.keep(&v)
			versions[name] = v
			return err
		case "globalMessageStrings":
			return c.messageStrings(&out.messages)
		case "rules":
			return c.array(func(i int) error {
				if i == maxRules {
					return c.reader.Fail(fmt.Sprintf("more than %d rules", maxRules))
				}
				one, err := c.rule()
				if _, twice := out.byID[one.id]; !twice {
					out.byID[one.id] = i
				}
				out.rules = append(out.rules, one)
				return err
			})
		case "taxa":
			return c.array(func(i int) error {
				if i == maxRules {
					return c.reader.Fail(fmt.Sprintf("more than %d taxa", maxRules))
				}
				ref, err := c.reference()
				out.taxa = append(out.taxa, ref.id)
				return err
			})
		}
		return nil
	})
	out.version = cmp.Or(versions["version"], versions["semanticVersion"], versions["dottedQuadFileVersion"])
	return err
}

func (c *context) messageStrings(out *map[string]string) error {
	*out = map[string]string{}
	return c.object(func(id string) error {
		return c.object(func(name string) error {
			if name != "text" {
				return nil
			}
			var s string
			err := c.keep(&s)
			(*out)[id] = s
			return err
		})
	})
}

// message reads the text of a message or multiformatMessageString.
func (c *context) message(out *string) error {
	return c.object(func(name string) error {
		if name == "text" {
			return c.keep(out)
		}
		return nil
	})
}

func (c *context) rule() (rule, error) {
	var out rule
	var full string
	err := c.reader.Object(func(name string) error {
		switch name {
		case "id":
			return c.keep(&out.id)
		case "guid":
			return c.keep(&out.guid)
		case "name":
			return c.keep(&out.name)
		case "shortDescription":
			return c.message(&out.short)
		case "fullDescription":
			return c.message(&full)
		case "helpUri":
			return c.keep(&out.help)
		case "messageStrings":
			return c.messageStrings(&out.messages)
		case "defaultConfiguration":
			return c.object(func(name string) error {
				if name == "level" {
					return c.keep(&out.level)
				}
				return nil
			})
		case "relationships":
			return c.array(func(int) error {
				return c.object(func(name string) error {
					if name != "target" {
						return nil
					}
					ref, err := c.reference()
					out.related = append(out.related, ref)
					return err
				})
			})
		case "properties":
			p, err := c.properties()
			out.score, out.tags = p.score, p.tags
			out.weaknesses = append(out.weaknesses, p.weaknesses...)
			return err
		}
		return nil
	})
	out.short = title(cmp.Or(out.short, full))
	return out, err
}

// properties are those that mean something here.
type properties struct {
	score            string // security-severity
	tags, weaknesses []string
}

// properties reads a property bag, which may hold anything under any name.
//
// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#reportingdescriptor-object
func (c *context) properties() (properties, error) {
	var out properties
	if c.reader.Kind() != '{' {
		return out, nil
	}
	err := c.reader.Object(func(name string) error {
		kind := c.reader.Kind()
		switch {
		case name == "tags" && kind == '[':
			return c.texts(&out.tags)
		case name == "security-severity" && kind == '"':
			return c.keep(&out.score)
		case name == "security-severity" && kind != 'n':
			n, err := c.reader.Number()
			out.score = strconv.FormatFloat(n, 'f', -1, 64)
			return err
		case strings.EqualFold(name, "cwe") && kind == '"':
			var s string
			err := c.keep(&s)
			out.weaknesses = append(out.weaknesses, Weaknesses(s)...)
			return err
		case strings.EqualFold(name, "cwe") && kind == '[':
			var list []string
			err := c.texts(&list)
			out.weaknesses = append(out.weaknesses, Weaknesses(list...)...)
			return err
		}
		return nil
	})
	out.weaknesses = append(out.weaknesses, Weaknesses(out.tags...)...)
	return out, err
}

// reference reads a reportingDescriptorReference, or what of a taxon one needs.
func (c *context) reference() (reference, error) {
	out := reference{index: -1, component: componentReference{index: -1}}
	err := c.object(func(name string) error {
		switch name {
		case "id":
			return c.text(&out.id)
		case "guid":
			return c.text(&out.guid)
		case "index":
			return c.number(&out.index)
		case "toolComponent":
			return c.object(func(name string) error {
				switch name {
				case "name":
					return c.text(&out.component.name)
				case "guid":
					return c.text(&out.component.guid)
				case "index":
					return c.number(&out.component.index)
				}
				return nil
			})
		}
		return nil
	})
	return out, err
}

// taxon adds the weakness that a reference names, if it is to the CWE. A reference by number alone is looked up in the
// run's taxonomies.
func (c *context) taxon(list []string, ref reference) []string {
	name := ref.component.name
	if name == "" && ref.component.index >= 0 && ref.component.index < len(c.taxonomies) {
		taxonomy := c.taxonomies[ref.component.index]
		name = taxonomy.name
		if ref.id == "" && ref.index >= 0 && ref.index < len(taxonomy.taxa) {
			ref.id = taxonomy.taxa[ref.index]
		}
	}
	if strings.EqualFold(name, "CWE") && ref.id != "" && strings.Trim(ref.id, "0123456789") == "" {
		ref.id = "CWE-" + ref.id
	}
	return append(list, Weaknesses(ref.id)...)
}

func (c *context) place() (place, error) {
	out := place{index: -1}
	err := c.object(func(name string) error {
		switch name {
		case "uri":
			return c.keep(&out.uri)
		case "uriBaseId":
			return c.keep(&out.base)
		case "index":
			return c.number(&out.index)
		}
		return nil
	})
	return out, err
}

func (c *context) artifact() error {
	out := place{index: -1}
	err := c.object(func(name string) error {
		if name != "location" {
			return nil
		}
		var err error
		out, err = c.place()
		return err
	})
	c.artifacts = append(c.artifacts, out)
	return err
}

// imageProperties reads what Trivy says of the image that it scanned.
func (c *context) imageProperties() error {
	if c.reader.Kind() != '{' {
		return nil
	}
	return c.reader.Object(func(name string) error {
		kind := c.reader.Kind()
		switch {
		case name == "imageName" && kind == '"':
			return c.keep(&c.image.Name)
		case name == "repoDigests" && kind == '[':
			return c.texts(&c.image.Digests)
		}
		return nil
	})
}

func (c *context) invocation() error {
	successful := true
	err := c.object(func(name string) error {
		switch name {
		case "executionSuccessful":
			var err error
			if !c.reader.Null() {
				successful, err = c.reader.Bool()
			}
			return err
		case "toolExecutionNotifications", "toolConfigurationNotifications":
			return c.array(func(int) error { return c.notification() })
		case "ruleConfigurationOverrides":
			return c.few(c.override)
		case "workingDirectory":
			p, err := c.place()
			c.roots = c.roots.With(p.uri)
			return err
		}
		return nil
	})
	if !successful {
		c.gap("the tool says that its run did not succeed")
	}
	return err
}

// notification makes a gap of an error that the tool met.
func (c *context) notification() error {
	level, text := "warning", ""
	err := c.object(func(name string) error {
		switch name {
		case "level":
			return c.text(&level)
		case "message":
			return c.message(&text)
		}
		return nil
	})
	if level == "error" {
		c.gap("the tool says: " + cmp.Or(title(text), "an error without words"))
	}
	return err
}

func (c *context) override() error {
	var out override
	err := c.object(func(name string) (err error) {
		switch name {
		case "descriptor":
			out.rule, err = c.reference()
		case "configuration":
			err = c.object(func(name string) error {
				if name == "level" {
					return c.keep(&out.level)
				}
				return nil
			})
		}
		return err
	})
	if len(c.overrides) == maxRules {
		return c.reader.Fail(fmt.Sprintf("more than %d overrides", maxRules))
	}
	if out.level != "" {
		c.overrides = append(c.overrides, out)
	}
	return err
}

package sbom

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// cycloneDXComponent is what is read of a component.
type cycloneDXComponent struct {
	kind, group string
	entryPackage
	// parts is how many components are nested in it.
	parts int
	// excluded is true for what is not used at run time.
	excluded bool
}

func (r *reading) readCycloneDX() error {
	doc := r.doc
	doc.Restart()
	return doc.Object(func(name []byte) error {
		switch string(name) {
		case "metadata":
			return members(doc, func(name string) error {
				if name != "component" || doc.Null() {
					return nil
				}
				return r.component(doc, true)
			})
		case "components":
			_, err := r.components(doc)
			return err
		case "compositions":
			return each(doc, func() error { return r.composition(doc) })
		}
		return nil
	})
}

// composition notices a document that calls itself incomplete.
func (r *reading) composition(doc *strictjson.Reader) error {
	return members(doc, func(name string) error {
		if name == "aggregate" && strings.HasPrefix(text(doc), "incomplete") {
			r.incomplete = true
		}
		return nil
	})
}

func (r *reading) components(doc *strictjson.Reader) (n int, err error) {
	err = list(doc, func() error {
		n++
		return r.component(doc, false)
	})
	return n, err
}

// component reads one component. The root is the one that the document describes.
func (r *reading) component(doc *strictjson.Reader, root bool) error {
	if err := r.entry(); err != nil {
		return err
	}
	var c cycloneDXComponent
	if err := doc.Object(func(name []byte) error { return r.componentMember(doc, &c, string(name)) }); err != nil {
		return err
	}
	return r.finish(&c, root)
}

func (r *reading) componentMember(doc *strictjson.Reader, c *cycloneDXComponent, name string) (err error) {
	switch name {
	case "type":
		c.kind = text(doc)
	case "group":
		c.group = text(doc)
	case "name":
		c.name = text(doc)
	case "version":
		c.version = text(doc)
	case "purl":
		c.purl = text(doc)
	case "scope":
		c.excluded = text(doc) == "excluded"
	case "hashes":
		return readPairs(doc, "alg", "content", &c.hashes)
	case "properties":
		return readPairs(doc, "name", "value", &c.properties)
	case "licenses":
		return readLicenses(doc, &c.licenses)
	case "evidence":
		return readOccurrences(doc, &c.locations)
	case "components":
		c.parts, err = r.components(doc)
	}
	return err
}

// finish decides what a component is.
func (r *reading) finish(c *cycloneDXComponent, root bool) error {
	r.noteSubject(c.properties)
	if c.excluded {
		c.scope = core.ScopeDevelopment
	}
	name := c.name
	if c.group != "" {
		name = c.group + "/" + c.name
	}
	u, ok := parsePurl(c.purl)
	switch {
	case root && (c.purl == "" || isImage(u) || !ok):
		r.described = describedBy(c.purl, c.properties)
	case c.kind == "operating-system":
		r.addSystem(systemOf(c.name, c.version, c.properties))
		if ok && isPackage(u) {
			return r.add(&c.entryPackage, u)
		}
	case c.kind == "container" || ok && isImage(u):
		if c.parts == 0 && !isOurs(c.properties) {
			r.gap(gapImage, name)
		}
		if ok && isPackage(u) {
			return r.add(&c.entryPackage, u)
		}
	case c.purl != "" && !ok:
		r.gap(gapBadPurl, c.purl)
	case ok:
		return r.add(&c.entryPackage, u)
	case isPackageKind(c.kind) && !isGrouping(c):
		r.gap(gapNoPurl, name)
	}
	return nil
}

// isPackageKind reports whether a component of a type is expected to be a package.
func isPackageKind(kind string) bool {
	switch kind {
	case "application", "framework", "library", "":
		return true
	}
	return false
}

// isGrouping reports whether a component only stands for a lockfile or for the components within it: an application
// without a version and with parts, or one that Trivy marks with its type.
func isGrouping(c *cycloneDXComponent) bool {
	if c.kind != "application" {
		return false
	}
	for _, p := range c.properties {
		if p.name == "aquasecurity:trivy:Type" && c.version == "" {
			return true
		}
	}
	return c.version == "" && c.parts > 0 || isOurs(c.properties)
}

// noteSubject reads what our own documents say of a subject.
func (r *reading) noteSubject(props []property) {
	diffs := map[string]string{}
	for _, p := range props {
		index, member, ok := cutLayer(p.name)
		switch {
		case p.name == propExamined && p.value != string(core.Complete):
			r.incomplete = true
		case p.name == propWhy && len(r.reasons) < maxReasons:
			r.reasons = append(r.reasons, "its own examination: "+redact.Limited(p.value, maxReason))
		case ok && member == "diffId":
			diffs[index] = p.value
		case ok && member == "createdBy" && diffs[index] != "":
			if r.layerBy == nil {
				r.layerBy = map[string]string{}
			}
			r.layerBy[diffs[index]] = p.value
		}
	}
}

// cutLayer splits the name of a layer's property of an image: cleanbill:layer:3:diffId.
func cutLayer(name string) (index, member string, ok bool) {
	rest, ok := strings.CutPrefix(name, "cleanbill:layer:")
	if !ok || rest == "" || !isDigit(rest[0]) {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// addSystem notes an operating system once, however many platforms have it.
func (r *reading) addSystem(d core.Distro) {
	for _, s := range r.systems {
		if s.ID == d.ID && s.VersionID == d.VersionID {
			return
		}
	}
	if len(r.systems) < 2 { // with two already none can stand in for the others
		r.systems = append(r.systems, d)
	}
}

func systemOf(name, version string, props []property) core.Distro {
	d := core.Distro{ID: distro.ID(name), VersionID: version}
	for _, p := range props {
		switch p.name {
		case "cleanbill:distro:ecosystem":
			d.Ecosystem = p.value
		case "cleanbill:distro:codename":
			d.Codename = p.value
		case "syft:distro:id":
			d.ID = distro.ID(p.value)
		case "syft:distro:versionID":
			d.VersionID = p.value
		case "syft:distro:idLike:0":
			d.IDLike = []string{p.value}
		case "syft:distro:prettyName":
			d.PrettyName = p.value
		}
	}
	return d
}

// readPairs reads an array of objects with two members that matter.
func readPairs(doc *strictjson.Reader, first, second string, pairs *[]property) error {
	return each(doc, func() error {
		var p property
		err := members(doc, func(name string) error {
			switch name {
			case first:
				p.name = text(doc)
			case second:
				p.value = text(doc)
			}
			return nil
		})
		if p.name != "" {
			*pairs = append(*pairs, p)
		}
		return err
	})
}

func readLicenses(doc *strictjson.Reader, licenses *[]string) error {
	add := func(s string) {
		if s = clean(s); s != "" {
			*licenses = append(*licenses, s)
		}
	}
	return each(doc, func() error {
		return members(doc, func(name string) error {
			switch name {
			case "expression":
				add(text(doc))
			case "license":
				return members(doc, func(name string) error {
					if name == "id" || name == "name" {
						add(text(doc))
					}
					return nil
				})
			}
			return nil
		})
	})
}

func readOccurrences(doc *strictjson.Reader, locations *[]core.Location) error {
	return members(doc, func(name string) error {
		if name != "occurrences" {
			return nil
		}
		return each(doc, func() error {
			l, err := readOccurrence(doc)
			if l.Path != "" {
				*locations = append(*locations, l)
			}
			return err
		})
	})
}

func readOccurrence(doc *strictjson.Reader) (l core.Location, err error) {
	err = members(doc, func(name string) error {
		switch name {
		case "location":
			l.Path = text(doc)
		case "line":
			if n, err := doc.Int(); err == nil && n > 0 && n < 1<<31 {
				l.Line = int(n)
			}
		case "additionalContext":
			if layer, ok := strings.CutPrefix(text(doc), layerContext); ok {
				if d, err := core.ParseDigest(layer); err == nil {
					l.Layer = d
				}
			}
		}
		return nil
	})
	return l, err
}

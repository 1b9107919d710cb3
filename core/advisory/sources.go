package advisory

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// maxSource bounds each of the small sources, uncompressed, in bytes: EPSS, the largest, has about 12 MiB.
const maxSource = 256 << 20

var dateForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

// readKEV reads CISA's catalog and returns its version and what it says by CVE.
//
// https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json
func readKEV(f io.Reader, name string) (version string, kev map[string]core.Exploited, err error) {
	var in struct {
		CatalogVersion  string `json:"catalogVersion"`
		Vulnerabilities []struct {
			CVE        string `json:"cveID"`
			Added      string `json:"dateAdded"`
			Ransomware string `json:"knownRansomwareCampaignUse"`
		} `json:"vulnerabilities"`
	}
	if err := json.NewDecoder(f).Decode(&in); err != nil {
		return "", nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(in.Vulnerabilities) == 0 {
		return "", nil, fmt.Errorf("read %s: it lists no vulnerabilities", name)
	}
	kev = make(map[string]core.Exploited, len(in.Vulnerabilities))
	for i, v := range in.Vulnerabilities {
		if !IsCVE(v.CVE) || checkID(v.CVE) != nil || !dateForm.MatchString(v.Added) {
			return "", nil, fmt.Errorf("read %s: vulnerabilities[%d] has no CVE or date", name, i)
		}
		kev[v.CVE] = core.Exploited{Since: v.Added, Ransomware: v.Ransomware == "Known"}
	}
	return in.CatalogVersion, kev, nil
}

// readEPSS reads FIRST's table and returns its date and, by CVE, score and percentile.
//
// https://www.first.org/epss/data_stats
func readEPSS(f io.Reader, name string) (date string, epss map[string]core.EPSS, err error) {
	lines := bufio.NewScanner(f)
	epss = map[string]core.EPSS{}
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			if _, after, ok := strings.Cut(comment, "score_date:"); ok {
				date, _, _ = strings.Cut(after, "T")
			}
			continue
		}
		if strings.HasPrefix(line, "cve,") || line == "" {
			continue
		}
		fields := strings.Split(line, ",")
		var e core.EPSS
		if len(fields) != 3 || !IsCVE(fields[0]) || !probability(fields[1], &e.Score) || !probability(fields[2], &e.Percentile) {
			return "", nil, fmt.Errorf("read %s: line %d is not CVE, score and percentile: %.60q", name, n, line)
		}
		epss[fields[0]] = e
	}
	if err := lines.Err(); err != nil {
		return "", nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(epss) == 0 {
		return "", nil, fmt.Errorf("read %s: it lists no scores", name)
	}
	return date, epss, nil
}

func probability(s string, p *float64) bool {
	var err error
	*p, err = strconv.ParseFloat(s, 64)
	return err == nil && *p >= 0 && *p <= 1
}

// osRelease maps the products of endoflife.date to the ID of os-release where they differ.
func osRelease(product string) string {
	switch product {
	case "alpine-linux":
		return "alpine"
	case "amazon-linux":
		return "amzn"
	case "oracle-linux":
		return "ol"
	case "rocky-linux":
		return "rocky"
	case "opensuse":
		return "opensuse-leap"
	case "centos-stream":
		return "centos"
	}
	return product
}

// release is one row of a table of ends of life, in the words of endoflife.date.
type release struct{ product, name, end, paid string }

// readEOL reads endoflife.date's list of all products, or a table in CSV with the columns distro, release, eol and
// extended_eol. It returns by os-release ID and version the last day of free and of paid support.
func readEOL(f io.Reader, name string) (map[string][2]string, error) {
	r := bufio.NewReader(f)
	read := readEOLTable
	if head, _ := r.Peek(1); string(head) == "{" {
		read = readEOLProducts
	}
	releases, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	eol := map[string][2]string{}
	for _, row := range releases {
		// Debian's long-term support is free and in the same archive, so it counts.
		if row.product == "debian" && dateForm.MatchString(row.paid) {
			row.end, row.paid = row.paid, ""
		}
		if !dateForm.MatchString(row.end) {
			continue // no date is set
		}
		if !dateForm.MatchString(row.paid) {
			row.paid = ""
		}
		key := osRelease(row.product) + " " + row.name
		// CentOS and CentOS Stream call themselves the same; the later end is the sure one.
		if known, ok := eol[key]; !ok || known[0] < row.end {
			eol[key] = [2]string{row.end, row.paid}
		}
	}
	if len(eol) == 0 {
		return nil, fmt.Errorf("read %s: it lists no releases", name)
	}
	return eol, nil
}

// readEOLProducts reads the answer of endoflife.date's API. Of its products only operating systems count.
//
// https://endoflife.date/docs/api/v1/
func readEOLProducts(f io.Reader) ([]release, error) {
	var in struct {
		Result []struct {
			Name     string `json:"name"`
			Category string `json:"category"`
			Releases []struct {
				Name     string `json:"name"`
				End      text   `json:"eolFrom"`
				Extended text   `json:"eoesFrom"`
			} `json:"releases"`
		} `json:"result"`
	}
	if err := json.NewDecoder(f).Decode(&in); err != nil {
		return nil, err
	}
	var out []release
	for _, p := range in.Result {
		if p.Category != "os" && p.Category != "" {
			continue
		}
		for _, r := range p.Releases {
			out = append(out, release{p.Name, r.Name, string(r.End), string(r.Extended)})
		}
	}
	return out, nil
}

func readEOLTable(f io.Reader) ([]release, error) {
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("it is empty")
	}
	column := map[string]int{}
	for i, title := range rows[0] {
		column[title] = i
	}
	for _, title := range []string{"distro", "release", "eol"} {
		if _, ok := column[title]; !ok {
			return nil, fmt.Errorf("it has no column %s", title)
		}
	}
	var out []release
	for _, row := range rows[1:] {
		r := release{product: row[column["distro"]], name: row[column["release"]], end: row[column["eol"]]}
		if i, ok := column["extended_eol"]; ok {
			r.paid = row[i]
		}
		out = append(out, r)
	}
	return out, nil
}

// openTable opens one of the small sources, decompressing gzip, and bounds it.
func openTable(f *copied, name string) (io.Reader, error) {
	r := bufio.NewReader(f)
	if head, _ := r.Peek(2); string(head) != "\x1f\x8b" {
		return &bounded{r: r, name: name, left: maxSource}, nil
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &bounded{r: z, name: name, left: maxSource}, nil
}

// bounded fails, rather than ends, when more than left bytes are read.
type bounded struct {
	r    io.Reader
	name string
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%s has more than %d bytes, far more than it should", b.name, maxSource)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read %s: %w", b.name, err)
	}
	return n, err
}

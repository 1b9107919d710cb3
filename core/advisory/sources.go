package advisory

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// maxSource bounds each of the small sources, uncompressed, in bytes: EPSS, the largest, has about 12 MiB.
const maxSource = 256 << 20

var dateForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

// readKEV reads CISA's catalog and returns its version and, by CVE, the date added and "ransomware" if it is used so.
//
// https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json
func readKEV(name string) (version string, kev map[string][2]string, err error) {
	f, err := open(name)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
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
	kev = make(map[string][2]string, len(in.Vulnerabilities))
	for i, v := range in.Vulnerabilities {
		if !IsCVE(v.CVE) || checkID(v.CVE) != nil || !dateForm.MatchString(v.Added) {
			return "", nil, fmt.Errorf("read %s: vulnerabilities[%d] has no CVE or date", name, i)
		}
		ransomware := ""
		if v.Ransomware == "Known" {
			ransomware = "ransomware"
		}
		kev[v.CVE] = [2]string{v.Added, ransomware}
	}
	return in.CatalogVersion, kev, nil
}

// readEPSS reads FIRST's table and returns its date and, by CVE, score and percentile.
//
// https://www.first.org/epss/data_stats
func readEPSS(name string) (date string, epss map[string][2]string, err error) {
	f, err := open(name)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	epss = map[string][2]string{}
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
		if len(fields) != 3 || !IsCVE(fields[0]) || !probability(fields[1]) || !probability(fields[2]) {
			return "", nil, fmt.Errorf("read %s: line %d is not CVE, score and percentile: %.60q", name, n, line)
		}
		epss[fields[0]] = [2]string{fields[1], fields[2]}
	}
	if err := lines.Err(); err != nil {
		return "", nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(epss) == 0 {
		return "", nil, fmt.Errorf("read %s: it lists no scores", name)
	}
	return date, epss, nil
}

func probability(s string) bool {
	p, err := strconv.ParseFloat(s, 64)
	return err == nil && p >= 0 && p <= 1
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

// readEOL reads a table with the columns distro, release, eol and extended_eol, and returns by os-release ID and
// version
// the last day of free and of paid support. Debian's long-term support is free and in the same archive, so it counts.
func readEOL(name string) (map[string][2]string, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("read %s: it lists no releases", name)
	}
	column := map[string]int{}
	for i, title := range rows[0] {
		column[title] = i
	}
	for _, title := range []string{"distro", "release", "eol"} {
		if _, ok := column[title]; !ok {
			return nil, fmt.Errorf("read %s: it has no column %s", name, title)
		}
	}
	eol := map[string][2]string{}
	for _, row := range rows[1:] {
		product, end, paid := row[column["distro"]], row[column["eol"]], ""
		if i, ok := column["extended_eol"]; ok {
			paid = row[i]
		}
		if product == "debian" && dateForm.MatchString(paid) {
			end, paid = paid, ""
		}
		if !dateForm.MatchString(end) {
			continue // no date is set
		}
		if !dateForm.MatchString(paid) {
			paid = ""
		}
		key := osRelease(product) + " " + row[column["release"]]
		// CentOS and CentOS Stream call themselves the same; the later end is the sure one.
		if known, ok := eol[key]; !ok || known[0] < end {
			eol[key] = [2]string{end, paid}
		}
	}
	return eol, nil
}

// open opens a source, decompressing a name that ends in .gz, and bounds it.
func open(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return &bounded{r: r, f: f, name: name, left: maxSource}, nil
}

// bounded fails, rather than ends, when more than left bytes are read.
type bounded struct {
	r    io.Reader
	f    io.Closer
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

func (b *bounded) Close() error { return b.f.Close() }

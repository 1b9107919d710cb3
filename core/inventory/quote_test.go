package inventory

import (
	"strings"
	"testing"
)

func TestTheLineThatDeclaresAVersionIsFound(t *testing.T) {
	pom := strings.Split("<project>\n <dependencies>\n  <dependency>\n   <groupId>g</groupId>\n   <version>1.2</version>\n  </dependency>\n  <dependency>\n   <version>9</version>\n  </dependency>", "\n")
	long := strings.Repeat("x", 300) + "==1.2"
	for _, tc := range []struct {
		name    string
		lines   []string
		from    int
		version string
		want    int
	}{
		{"itself", []string{"a==1.2"}, 1, "1.2", 1},
		{"not the next line", []string{"a", "b==1.2"}, 1, "1.2", 0},
		{"within its element", pom, 3, "1.2", 5},
		{"not of the next element", pom, 3, "9", 0},
		{"beyond the end", pom, 99, "9", 0},
		{"too long", []string{long}, 1, "1.2", 0},
		{"no text", []string{"a==1.2\x1b[0m"}, 1, "1.2", 0},
		{"bytes", []string{"a==1.2\xff"}, 1, "1.2", 0},
		{"a carriage return", []string{"a==1.2\r"}, 1, "1.2", 0},
	} {
		line, ok := declaring(tc.lines, tc.from, tc.version)
		if ok != (tc.want > 0) || ok && line != tc.want {
			t.Errorf("%s: line %d, %v; want %d", tc.name, line, ok, tc.want)
		}
	}
}

// Command pagetitle prints the title of an HTML page that it reads on its standard input.
//
// It is the program in the example image. It is built against a release of golang.org/x/net with known
// vulnerabilities, on purpose: do not use it for anything else.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/net/html"
)

func main() {
	text, err := title(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pagetitle:", err)
		os.Exit(1)
	}
	fmt.Println(text)
}

// title returns the text of the first title element.
func title(page io.Reader) (string, error) {
	tokens := html.NewTokenizer(page)
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if errors.Is(tokens.Err(), io.EOF) {
				return "", errors.New("the page has no title")
			}
			return "", fmt.Errorf("read the page: %w", tokens.Err())
		case html.StartTagToken:
			if name, _ := tokens.TagName(); string(name) == "title" {
				tokens.Next()
				return strings.TrimSpace(string(tokens.Text())), nil
			}
		}
	}
}

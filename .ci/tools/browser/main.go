// Browser opens a page in headless Chromium, does to it what a script on standard input says, and writes what came of it
// to standard output, both as JSON. Tests of pages run it; it decides nothing.
//
// It is a module of its own, so that the library that drives the browser is none of the product's.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// script is what to do.
type script struct {
	URL    string `json:"url"`
	Width  int64  `json:"width"`
	Height int64  `json:"height"`
	// Dark asks for dark colours, NoScript forbids the page's scripts.
	Dark     bool   `json:"dark"`
	NoScript bool   `json:"noScript"`
	Steps    []step `json:"steps"`
}

// step is one thing to do; it has one member.
type step struct {
	// Eval is an expression, of which the value becomes a result. A promise is waited for.
	Eval string `json:"eval,omitempty"`
	// Keys are typed into what has the focus.
	Keys string `json:"keys,omitempty"`
	// Screenshot is a file for a picture of the window, Whole of the whole page, PDF for the page as it is printed.
	Screenshot string `json:"screenshot,omitempty"`
	Whole      string `json:"whole,omitempty"`
	PDF        string `json:"pdf,omitempty"`
	// Media is "print", or "screen" to leave it to the browser again.
	Media string `json:"media,omitempty"`
	// Sleep is in milliseconds.
	Sleep int `json:"sleep,omitempty"`
}

// report is what came of it.
type report struct {
	Results []json.RawMessage `json:"results"`
	// Requests are the addresses that the page asked for, the page itself among them.
	Requests []string `json:"requests"`
	// Complaints are errors, warnings and violations of a policy that the browser told of.
	Complaints []string `json:"complaints"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func run() error {
	var s script
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return fmt.Errorf("read the script: %w", err)
	}
	// No sandbox: the page is our own, and as root, as in containers, Chromium has none.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()

	var w watcher
	chromedp.ListenTarget(ctx, w.see)
	r := report{Results: []json.RawMessage{}}
	actions := append(open(s), steps(s.Steps, &r)...)
	if err := chromedp.Run(ctx, actions...); err != nil {
		return err
	}
	r.Requests, r.Complaints = w.told()
	return json.NewEncoder(os.Stdout).Encode(r)
}

func open(s script) []chromedp.Action {
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	return []chromedp.Action{
		network.Enable(), log.Enable(), runtime.Enable(), page.Enable(),
		emulation.SetScriptExecutionDisabled(s.NoScript),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.EmulateViewport(s.Width, s.Height),
		chromedp.Navigate(s.URL),
	}
}

func steps(all []step, r *report) []chromedp.Action {
	var actions []chromedp.Action
	for _, s := range all {
		switch {
		case s.Eval != "":
			actions = append(actions, evaluate(s.Eval, r))
		case s.Keys != "":
			actions = append(actions, press(s.Keys))
		case s.Screenshot != "":
			actions = append(actions, picture(s.Screenshot, func(to *[]byte) chromedp.Action { return chromedp.CaptureScreenshot(to) }))
		case s.Whole != "":
			actions = append(actions, picture(s.Whole, func(to *[]byte) chromedp.Action { return chromedp.FullScreenshot(to, 100) }))
		case s.PDF != "":
			actions = append(actions, printed(s.PDF))
		case s.Media != "":
			actions = append(actions, emulation.SetEmulatedMedia().WithMedia(strings.TrimSuffix(s.Media, "screen")))
		case s.Sleep > 0:
			actions = append(actions, chromedp.Sleep(time.Duration(s.Sleep)*time.Millisecond))
		}
	}
	return actions
}

func evaluate(expression string, r *report) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		value, thrown, err := runtime.Evaluate(expression).WithReturnByValue(true).WithAwaitPromise(true).Do(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("evaluate %s: %w", expression, err)
		case thrown != nil:
			return fmt.Errorf("evaluate %s: %w", expression, thrown)
		}
		result := json.RawMessage(value.Value)
		if len(result) == 0 {
			result = json.RawMessage("null")
		}
		r.Results = append(r.Results, result)
		return nil
	})
}

// press types keys as a keyboard does: what a page prevents on a key does not become text.
func press(keys string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for _, r := range keys {
			text := ""
			events := kb.Encode(r)
			for _, e := range events {
				if e.Type == input.KeyChar {
					text = e.Text
				}
			}
			for _, e := range events {
				switch {
				case e.Type == input.KeyChar:
					continue
				case e.Type != input.KeyUp && text != "":
					e.Type, e.Text = input.KeyDown, text
				}
				if err := e.Do(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func picture(path string, take func(*[]byte) chromedp.Action) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var data []byte
		if err := take(&data).Do(ctx); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	})
}

func printed(path string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		data, _, err := page.PrintToPDF().WithPrintBackground(true).WithPaperWidth(8.27).WithPaperHeight(11.69).Do(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	})
}

// watcher collects what the browser tells beside.
type watcher struct {
	mu                   sync.Mutex
	requests, complaints []string
}

func (w *watcher) see(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.requests = append(w.requests, e.Request.URL)
	case *log.EventEntryAdded:
		w.complaints = append(w.complaints, fmt.Sprintf("%s %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text))
	case *runtime.EventExceptionThrown:
		w.complaints = append(w.complaints, "exception: "+e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		for _, a := range e.Args {
			w.complaints = append(w.complaints, fmt.Sprintf("console %s: %s", e.Type, a.Value))
		}
	}
}

func (w *watcher) told() (requests, complaints []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.requests...), append([]string{}, w.complaints...)
}

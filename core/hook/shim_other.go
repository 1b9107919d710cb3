//go:build !linux

package hook

import (
	"context"
	"errors"
	"io"
	"net"
)

// confinable reports whether hooks can be confined on this system at all.
const confinable = false

// ShimCommand is the hidden command by which the program starts itself again to confine a hook.
const ShimCommand = "hook-shim"

// Shim runs a stage of the shim if args ask for one, which exists on Linux only.
func Shim([]string) (code int, asked bool) { return 0, false }

type launched struct {
	enforced, unenforced []string
	began                bool
	ending               *ending
}

type startError struct{ err error }

func (e *startError) Error() string { return e.err.Error() }

func launch(context.Context, string, request, io.Writer, io.Writer, func(net.Listener)) (launched, error) {
	return launched{}, errors.New("hooks are confined on Linux only")
}

func namespaceChoices() []namespaces { return []namespaces{{}} }

package hook

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// parseHost reads a granted host and returns it with its port.
func parseHost(s string) (string, error) {
	host, port := s, "443"
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	}
	n, err := strconv.ParseUint(port, 10, 16)
	plain := strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
	if err != nil || n == 0 || host == "" || !plain || strings.HasPrefix(host, ".") || strings.HasPrefix(host, "-") {
		return "", fmt.Errorf("%q is not a host: want HOST or HOST:PORT, without a scheme or a pattern", s)
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}

// proxy lets a hook reach the hosts that it was granted and no others, by CONNECT.
//
// https://www.rfc-editor.org/rfc/rfc9110#name-connect
type proxy struct {
	hosts []string // HOST:PORT
	dial  func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	refused []string
}

// Bounds on the proxy.
const (
	proxyConnections = 64
	proxyHeader      = 16 << 10 // bytes
	proxyPatience    = 30 * time.Second
	maxRefused       = 20
)

func newProxy(hosts []string) *proxy {
	p := &proxy{dial: (&net.Dialer{Timeout: proxyPatience}).DialContext}
	for _, h := range hosts {
		if address, err := parseHost(h); err == nil {
			p.hosts = append(p.hosts, address)
		}
	}
	return p
}

// serve accepts connections until the listener is closed or ctx ends.
func (p *proxy) serve(ctx context.Context, l net.Listener) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	slots := make(chan struct{}, proxyConnections)
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			defer conn.Close()
			end := context.AfterFunc(ctx, func() { conn.Close() })
			defer end()
			p.handle(ctx, conn)
		}()
	}
}

func (p *proxy) handle(ctx context.Context, conn net.Conn) {
	if err := conn.SetReadDeadline(time.Now().Add(proxyPatience)); err != nil {
		return
	}
	reader := bufio.NewReader(io.LimitReader(conn, proxyHeader))
	request, err := http.ReadRequest(reader)
	if err != nil {
		answer(conn, http.StatusBadRequest)
		return
	}
	address := strings.ToLower(request.Host)
	if request.Method != http.MethodConnect || !slices.Contains(p.hosts, address) {
		p.refuse(address)
		answer(conn, http.StatusForbidden)
		return
	}
	far, err := p.dial(ctx, "tcp", address)
	if err != nil {
		answer(conn, http.StatusBadGateway)
		return
	}
	defer far.Close()
	end := context.AfterFunc(ctx, func() { far.Close() })
	defer end()
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	early, _ := reader.Peek(reader.Buffered())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, io.MultiReader(strings.NewReader(string(early)), conn))
		closeWrite(far)
	}()
	_, _ = io.Copy(conn, far)
	closeWrite(conn)
	<-done
}

// refuse remembers what was asked for, for the examination.
func (p *proxy) refuse(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) < maxRefused && !slices.Contains(p.refused, address) {
		p.refused = append(p.refused, address)
	}
}

func (p *proxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refused)
}

func answer(conn net.Conn, status int) {
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status))
}

func closeWrite(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

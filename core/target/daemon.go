package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// daemon is a Docker daemon or Podman service on this machine, spoken to by Docker's API. It is spoken with net/http
// because the two calls that are needed do not justify the client library and what that depends on.
//
// https://docs.docker.com/reference/api/engine/version/v1.47/ (ImageInspect, ImageGet)
type daemon struct {
	address string // as people write it: unix:///run/docker.sock
	base    string
	options Options
	rt      http.RoundTripper
}

var imageID = regexp.MustCompile(`^(?:sha256:)?[0-9a-f]{4,64}$`)

// openDaemon exports an image of a daemon. Its name is resolved once, to an ID, and the image of that ID is exported.
func openDaemon(ctx context.Context, ref string, s scheme, image string, o Options) (*Target, error) {
	if _, err := name.ParseReference(image); err != nil && !imageID.MatchString(image) {
		return nil, advice.Misuse("", "%q is not the name of an image", redact.Limited(image, 200))
	}
	d, err := findDaemon(ctx, s, o)
	if err != nil {
		return nil, alsoTry(err, otherReading(s, image))
	}
	id, err := d.resolve(ctx, image)
	if err != nil {
		return nil, alsoTry(err, otherReading(s, image))
	}
	body, err := d.get(ctx, "/images/"+escapePath(id)+"/get", d.options.daemonPatience)
	if err != nil {
		return nil, fmt.Errorf("export from %s: %w", d.address, err)
	}
	defer body.Close()
	t, err := spoolArchive(ctx, ref, choice{}, body, plain, o)
	if err != nil {
		return nil, fmt.Errorf("export from %s: %w", d.address, err)
	}
	return t, nil
}

// otherReading is the hint for those who mean the image in a registry that is itself named docker or podman.
func otherReading(s scheme, image string) string {
	return fmt.Sprintf("for an image in a registry, write registry:%s, or registry:%s:%s for the image that is itself named %s", image, s, image, s)
}

// sockets lists where the daemon may listen: where the environment says, or else the usual places.
func sockets(s scheme, getenv func(string) string) (addresses []string, variable string) {
	var paths []string
	runtime := getenv("XDG_RUNTIME_DIR")
	switch s {
	case schemePodman:
		if host := getenv("CONTAINER_HOST"); host != "" {
			return []string{host}, "CONTAINER_HOST"
		}
		if runtime != "" {
			paths = append(paths, filepath.Join(runtime, "podman", "podman.sock"))
		}
		paths = append(paths, "/run/podman/podman.sock")
	default:
		if host := getenv("DOCKER_HOST"); host != "" {
			return []string{host}, "DOCKER_HOST"
		}
		paths = append(paths, "/var/run/docker.sock")
		if runtime != "" {
			paths = append(paths, filepath.Join(runtime, "docker.sock"))
		}
		if home := getenv("HOME"); home != "" {
			paths = append(paths, filepath.Join(home, ".docker", "run", "docker.sock"))
		}
	}
	for _, p := range paths {
		addresses = append(addresses, "unix://"+p)
	}
	return addresses, ""
}

// findDaemon returns the first daemon that answers.
func findDaemon(ctx context.Context, s scheme, o Options) (*daemon, error) {
	addresses, variable := sockets(s, o.Getenv)
	var tried []string
	hint := "start it, or say where it listens with DOCKER_HOST"
	if s == schemePodman {
		hint = "start it (podman system service), or say where it listens with CONTAINER_HOST"
	}
	for _, address := range addresses {
		d, err := newDaemon(address, o)
		if err != nil {
			return nil, advice.Misuse("set "+variable+" to unix:///PATH or tcp://127.0.0.1:PORT", "%s: %w", variable, err)
		}
		body, err := d.get(ctx, "/_ping", o.Patience.Header)
		if err == nil {
			body.Close()
			return d, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, syscall.EACCES) {
			hint = "run as a user that may use the socket"
		}
		tried = append(tried, fmt.Sprintf("%s: %s", d.address, whyNoDaemon(err)))
	}
	return nil, advice.Unavailable(hint, "the %s daemon does not answer (tried %s)", s, strings.Join(tried, "; "))
}

func whyNoDaemon(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, syscall.EACCES):
		return "permission denied"
	}
	return redact.Limited(network.Leaf(err).Error(), 200)
}

// newDaemon reads an address as DOCKER_HOST has it. Over a network the API is as good as root, so only this machine's
// own ports are spoken to in plain text.
func newDaemon(address string, o Options) (*daemon, error) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return nil, errors.New("it is not an address of a daemon")
	}
	d := &daemon{options: o}
	var dialer net.Dialer
	switch u.Scheme {
	case "unix":
		socket := u.Path
		d.address, d.base = "unix://"+socket, "http://daemon"
		d.rt = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}}
	case "tcp", "http":
		if !network.IsLoopback(u.Host) {
			return nil, fmt.Errorf("%s is another machine; daemons are asked on this one only (save the image to an archive there)", redact.Limited(u.Host, 120))
		}
		d.address, d.base = "tcp://"+u.Host, "http://"+u.Host
		d.rt = &http.Transport{DialContext: dialer.DialContext}
	default:
		return nil, fmt.Errorf("daemons are not reached by %q", redact.Limited(u.Scheme, 20))
	}
	return d, nil
}

// resolve returns the ID of the image that the name stands for now.
func (d *daemon) resolve(ctx context.Context, image string) (string, error) {
	body, err := d.get(ctx, "/images/"+escapePath(image)+"/json", d.options.Patience.Header)
	var status *daemonError
	if errors.As(err, &status) && status.status == http.StatusNotFound {
		return "", advice.Unavailable("check the name, or build or pull it first", "the daemon at %s has no such image (%w)", d.address, status)
	}
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", d.address, err)
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, d.options.Limits.MetadataSize))
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", d.address, network.Leaf(err))
	}
	var inspected struct {
		ID string `json:"Id"`
	}
	if err := decodeJSON(raw, &inspected); err != nil || !imageID.MatchString(inspected.ID) {
		return "", fmt.Errorf("what listens at %s does not speak Docker's API", d.address)
	}
	return inspected.ID, nil
}

// daemonError is the answer of a daemon that did not give what was asked for.
type daemonError struct {
	status  int
	message string
}

func (e *daemonError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("it answered %d %s", e.status, http.StatusText(e.status))
	}
	return e.message
}

func (d *daemon) get(ctx context.Context, path string, patience time.Duration) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", d.options.UserAgent)
	resp, err := network.Watched{Inner: d.rt, Header: patience, Idle: d.options.daemonPatience}.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, network.MaxStatusBody)) // what it says is only a help
	var message struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(said, &message)
	return nil, &daemonError{resp.StatusCode, redact.Limited(message.Message, 200)}
}

func escapePath(s string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

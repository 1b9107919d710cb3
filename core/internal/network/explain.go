package network

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// Explain turns whatever went wrong on the way to a host into one sentence and a hint. The text of the original error is
// not used where it may hold addresses with tokens in them. An error that already has advice is returned as it is.
func Explain(host string, err error) error {
	var a *advice.Error
	var dns *net.DNSError
	var hung *TimeoutError
	var netErr net.Error
	switch {
	case errors.As(err, &a):
		return err
	case isTLS(err):
		return advice.Unavailable("check the server's name and port, and that this machine trusts its certificate authority (SSL_CERT_FILE)",
			"no trusted encrypted connection to %s: %w", host, Cleaned(err))
	case errors.As(err, &hung):
		return advice.Unavailable("try again later; if it stays so, check the server and any proxy between", "%s hangs: %w", host, hung)
	case errors.As(err, &dns):
		return advice.Unavailable("check the spelling of the server's name, and this machine's DNS", "there is no address for %s: %w", host, Cleaned(err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return advice.Unavailable("check that the server runs and that its port is right", "nothing listens at %s: %w", host, syscall.ECONNREFUSED)
	case errors.As(err, &netErr) && netErr.Timeout():
		return advice.Unavailable("try again later; if it stays so, check the network and any proxy between", "%s cannot be reached in time: %w", host, Cleaned(err))
	case IsInterruption(err):
		return advice.Unavailable("try again; if it stays so, check the server and any proxy between", "the connection to %s broke: %w", host, Cleaned(err))
	case errors.Is(err, errPlainHTTP):
		return advice.Unavailable("give the server a certificate", "%s: %w", host, errPlainHTTP)
	case strings.Contains(err.Error(), "malformed HTTP") || strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return advice.Unavailable("check the server's name and port; plain HTTP is only spoken with servers on this machine, such as localhost",
			"%s does not speak HTTPS: %w", host, Cleaned(err))
	}
	return Cleaned(err)
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verification) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// Cleaned is err without the addresses around it, fit to be shown, and still recognisable by errors.Is.
func Cleaned(err error) error {
	text := secretParts.ReplaceAllString(Leaf(err).Error(), "$1…")
	return &cleanError{redact.Limited(text, 300), err}
}

// secretParts are the parts of addresses that may hold tokens and passwords: queries, and what stands before an @.
var secretParts = regexp.MustCompile(`(\?|://)(?:[^\s"'/@]+@|[^\s"'/]*=[^\s"']*)`)

type cleanError struct {
	text string
	err  error
}

func (c *cleanError) Error() string { return c.text }
func (c *cleanError) Unwrap() error { return c.err }

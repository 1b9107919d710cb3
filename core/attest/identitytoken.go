package attest

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// Where platforms keep what proves an identity.
const (
	// https://docs.github.com/en/actions/reference/security/oidc
	variableGitHubURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	variableGitHubToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // a name
	// https://docs.gitlab.com/ci/yaml/signing_examples/
	variableGitLab = "SIGSTORE_ID_TOKEN" //nolint:gosec // a name
	// variableTokenFile names the file of a projected token of Kubernetes, where it is not at the usual place.
	//
	// https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#serviceaccount-token-volume-projection
	variableTokenFile = "SIGSTORE_ID_TOKEN_FILE"
	projectedToken    = "/var/run/sigstore/cosign/oidc-token"
)

// audience is for whom tokens are made.
const audience = "sigstore"

// token is an identity token. What it says is read to tell what goes wrong; whether it is true is for the authority.
type token struct {
	raw string
	// requested is another secret, with which it was asked for.
	requested      string
	issuer, email  string
	connector      string
	audience       []string
	proven         string // what is signed to prove that we hold the key
	expires        time.Time
	where          string
	expiryIsStated bool
}

func (t token) secrets() []string { return []string{t.raw, t.requested} }

// issuers are those that a certificate may name.
func (t token) issuers() []string {
	if t.connector != "" {
		return []string{t.issuer, t.connector}
	}
	return []string{t.issuer}
}

// identityToken finds the token: what the user names, then what the platform offers.
func (o SignerOptions) identityToken(ctx context.Context) (token, error) {
	raw, where, requested, err := o.findToken(ctx)
	if err != nil {
		return token{}, err
	}
	t, err := readToken(raw)
	if err != nil {
		return token{}, advice.Misuse("it is three parts in base64url with dots between them, made by an OpenID Connect provider",
			"%s holds no identity token: %w", where, err)
	}
	t.requested, t.where = requested, where
	if t.expiryIsStated && !time.Now().Before(t.expires) {
		return token{}, advice.Misuse("ask for another one shortly before it is used", "the identity token of %s has expired at %s",
			where, t.expires.UTC().Format(time.RFC3339))
	}
	return t, nil
}

func (o SignerOptions) findToken(ctx context.Context) (raw, where, requested string, err error) {
	if named := o.IdentityToken; named != "" {
		if looksLikeToken(named) {
			return named, "--identity-token", "", nil
		}
		text, err := secretFile(named)
		return strings.TrimSpace(string(text)), named, "", err
	}
	if text := o.Getenv(variableGitLab); text != "" {
		return strings.TrimSpace(text), "the variable " + variableGitLab, "", nil
	}
	if o.Getenv(variableGitHubURL) != "" {
		raw, err := o.askGitHub(ctx)
		return raw, "GitHub", o.Getenv(variableGitHubToken), err
	}
	file := o.Getenv(variableTokenFile)
	text, err := secretFile(cmp.Or(file, projectedToken))
	if err == nil {
		return strings.TrimSpace(string(text)), cmp.Or(file, projectedToken), "", nil
	}
	if file != "" {
		return "", "", "", err
	}
	return "", "", "", advice.Misuse("on GitHub let the job have the permission id-token: write; on GitLab add id_tokens with "+
		variableGitLab+" for the audience "+audience+"; in Kubernetes mount a projected token; or name one with --identity-token, "+
		"or a --key", "there is no identity token: nothing says who signs")
}

// looksLikeToken tells a token from the name of a file.
func looksLikeToken(text string) bool {
	return strings.HasPrefix(text, "ey") && strings.Count(text, ".") == 2 && !strings.Contains(text, "/")
}

// askGitHub asks the runner's server for a token, which it makes for this job. The server is told with what right we ask,
// and so must be reached encrypted, or on this machine.
func (o SignerOptions) askGitHub(ctx context.Context) (string, error) {
	secret := o.Getenv(variableGitHubToken)
	u, err := url.Parse(o.Getenv(variableGitHubURL))
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return "", fmt.Errorf("the variable %s holds no address", variableGitHubURL)
	case secret == "":
		return "", fmt.Errorf("the variable %s is empty, and %s is not", variableGitHubToken, variableGitHubURL)
	case u.Scheme != "https" && !(u.Scheme == "http" && network.IsLoopback(u.Host)):
		return "", fmt.Errorf("the address in %s is not encrypted", variableGitHubURL)
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", network.Cleaned(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Accept", "application/json")
	body, _, _, err := o.ask(ctx, req, []string{secret}, http.StatusOK)
	if err != nil {
		return "", fmt.Errorf("ask GitHub for an identity token: %w", err)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Value == "" || len(answer.Value) > maxSecret {
		return "", fmt.Errorf("ask GitHub for an identity token: %s answers without one", u.Host)
	}
	return answer.Value, nil
}

// readToken reads what a token claims. Errors say nothing of what is in it.
func readToken(raw string) (token, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(raw) > maxSecret {
		return token{}, errors.New("it has not three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return token{}, errors.New("its second part is not base64url")
	}
	var claims struct {
		Issuer    string          `json:"iss"`
		Subject   string          `json:"sub"`
		Email     string          `json:"email"`
		Verified  any             `json:"email_verified"`
		Expires   *float64        `json:"exp"`
		Audience  json.RawMessage `json:"aud"`
		Federated struct {
			Connector string `json:"connector_id"`
		} `json:"federated_claims"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return token{}, errors.New("its second part holds no claims in JSON")
	}
	if claims.Issuer == "" || claims.Subject == "" {
		return token{}, errors.New("it does not say who it is about, or who says so")
	}
	t := token{raw: raw, issuer: claims.Issuer, email: claims.Email, connector: claims.Federated.Connector,
		proven: cmp.Or(claims.Email, claims.Subject)}
	var one string
	if json.Unmarshal(claims.Audience, &one) == nil {
		t.audience = []string{one}
	} else if json.Unmarshal(claims.Audience, &t.audience) != nil {
		t.audience = nil // the authority refuses it, and says so
	}
	if claims.Expires != nil {
		t.expires, t.expiryIsStated = time.Unix(int64(*claims.Expires), 0), true
	}
	return t, nil
}

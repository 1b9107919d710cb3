package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/cryptoutils/goodkey"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
)

// schemeVariable is that of a key in a variable of the environment.
const schemeVariable = "env://"

// variablePassword holds the password of an encrypted key, as with cosign.
const variablePassword = "COSIGN_PASSWORD"

// privateKey reads the key that a reference names. Its errors say nothing of what is in it.
func (o SignerOptions) privateKey() (crypto.Signer, error) {
	raw, err := o.keyText()
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, advice.Misuse("make one with: cosign generate-key-pair", "it holds no whole key in PEM")
	}
	der := block.Bytes
	switch block.Type {
	case "ENCRYPTED COSIGN PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY":
		if der, err = o.decrypt(der); err != nil {
			return nil, err
		}
		return parsePrivate(x509.ParsePKCS8PrivateKey(der))
	case "PRIVATE KEY":
		return parsePrivate(x509.ParsePKCS8PrivateKey(der))
	case "EC PRIVATE KEY":
		if block.Headers["Proc-Type"] == "" {
			return parsePrivate(x509.ParseECPrivateKey(der))
		}
	case "RSA PRIVATE KEY":
		if block.Headers["Proc-Type"] == "" {
			return parsePrivate(x509.ParsePKCS1PrivateKey(der))
		}
	case "PUBLIC KEY":
		return nil, advice.Misuse("name the private key, such as cosign.key", "it is a public key, which cannot sign")
	}
	return nil, advice.Misuse("make one that cosign reads: cosign import-key-pair, or openssl pkcs8 -topk8 -nocrypt",
		"keys of this form (%.40q) are not read", block.Type)
}

// keyText returns what the reference names.
func (o SignerOptions) keyText() ([]byte, error) {
	name, isVariable := strings.CutPrefix(o.Key, schemeVariable)
	if !isVariable {
		if strings.Contains(o.Key, "PRIVATE KEY") {
			return nil, advice.Misuse("name its file, or put it into a variable NAME and say "+schemeVariable+"NAME",
				"the key itself stands where its name belongs, where everybody on this machine can read it")
		}
		return secretFile(o.Key)
	}
	if !variableName.MatchString(name) {
		return nil, advice.Misuse("write "+schemeVariable+"NAME", "it does not name a variable")
	}
	text := o.Getenv(name)
	switch {
	case text == "":
		return nil, advice.Misuse("set it to the key, in PEM", "the variable %s is empty or not set", name)
	case len(text) > maxSecret:
		return nil, advice.Misuse("set it to the key, in PEM", "the variable %s holds more than a key: %d bytes", name, len(text))
	}
	return []byte(text), nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// decrypt opens an encrypted key. Nobody is asked for the password: in CI nobody is there.
func (o SignerOptions) decrypt(sealed []byte) ([]byte, error) {
	password := []byte(o.Getenv(variablePassword))
	where := "the variable " + variablePassword
	if o.PasswordFile != "" {
		text, err := secretFile(o.PasswordFile)
		if err != nil {
			return nil, err
		}
		password, where = []byte(strings.TrimRight(string(text), "\r\n")), o.PasswordFile
	}
	der, err := encrypted.Decrypt(sealed, password)
	switch {
	case err == nil:
		return der, nil
	case len(password) == 0:
		return nil, advice.Misuse("set "+variablePassword+", or name a file that holds it",
			"the key is encrypted, and %s holds no password", where)
	}
	return nil, advice.Misuse("check the password and that the key's file is whole",
		"the key cannot be decrypted with the password of %s", where)
}

// parsePrivate takes what one of crypto/x509's functions returns.
func parsePrivate[K any](parsed K, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, errors.New("it holds no whole private key")
	}
	private, ok := any(parsed).(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of this kind (%T) cannot sign", parsed)
	}
	if err := goodkey.ValidatePubKey(private.Public()); err != nil {
		return nil, fmt.Errorf("the key is too weak: %w", err)
	}
	return private, nil
}

// keypair signs with one key. It implements sign.Keypair of sigstore-go.
type keypair struct {
	signer  sigstore.Signer
	public  crypto.PublicKey
	details sigstore.AlgorithmDetails
	hint    []byte
}

// keypairOf is that of a private key which this process holds.
func keypairOf(private crypto.Signer) (*keypair, error) {
	details, err := sigstore.GetDefaultAlgorithmDetails(private.Public())
	if err != nil {
		return nil, fmt.Errorf("nobody could verify what such a key signs: %w", err)
	}
	signer, err := sigstore.LoadSignerFromAlgorithmDetails(private, details)
	if err != nil {
		return nil, fmt.Errorf("nobody could verify what such a key signs: %w", err)
	}
	return newKeypair(signer, private.Public(), details)
}

func newKeypair(signer sigstore.Signer, public crypto.PublicKey, details sigstore.AlgorithmDetails) (*keypair, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("write down the public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return &keypair{signer, public, details, []byte(base64.StdEncoding.EncodeToString(sum[:]))}, nil
}

// GetHashAlgorithm implements sign.Keypair.
func (k *keypair) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

// GetSigningAlgorithm implements sign.Keypair.
func (k *keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint implements sign.Keypair: what cosign writes beside a key's signature, which is no secret.
func (k *keypair) GetHint() []byte { return k.hint }

// GetKeyAlgorithm implements sign.Keypair.
func (k *keypair) GetKeyAlgorithm() string {
	switch k.public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA"
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return ""
}

// GetPublicKey implements sign.Keypair.
func (k *keypair) GetPublicKey() crypto.PublicKey { return k.public }

// GetPublicKeyPem implements sign.Keypair.
func (k *keypair) GetPublicKeyPem() (string, error) {
	text, err := cryptoutils.MarshalPublicKeyToPEM(k.public)
	return string(text), err
}

// SignData implements sign.Keypair: it returns the signature, and the digest that was signed.
func (k *keypair) SignData(ctx context.Context, data []byte) ([]byte, []byte, error) {
	digest := data
	if hash := k.details.GetHashType(); hash != crypto.Hash(0) {
		h := hash.New()
		h.Write(data)
		digest = h.Sum(nil)
	}
	made, err := k.signer.SignMessage(strings.NewReader(string(data)), options.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	return made, digest, nil
}

// logs reports whether a log takes signatures of such a key. Ed25519 signs messages and not their digests, and digests
// are what logs hold.
func (k *keypair) logs() bool { return k.details.GetHashType() != crypto.Hash(0) }

package network

import (
	"errors"
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-7": 0, "x": 0, "1.5": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"99999999999999": 365 * 24 * time.Hour, "99999999999999999999999": 0,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestCleanedHidesSecrets(t *testing.T) {
	for in, want := range map[string]string{
		`Get "https://a:b@host/x": no`:              `Get "https://…host/x": no`,
		`parse "https://h/p?X-Amz-Signature=1&a=b"`: `parse "https://h/p?…"`,
		"dial tcp 127.0.0.1:1: refused":             "dial tcp 127.0.0.1:1: refused",
	} {
		if got := Cleaned(errors.New(in)).Error(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "a.localhost:5000": true, "127.0.0.1": true, "127.8.9.1:80": true, "[::1]:5000": true, "[::1]": true,
		"localhost.example.com": false, "10.0.0.1": false, "192.168.0.1:5000": false, "registry": false, "127.0.0.1.nip.io": false, "": false, "[::ffff:127.0.0.1]:1": true,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}

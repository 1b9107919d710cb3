package advisory

import (
	"errors"
	"fmt"
	"testing"
)

func TestAFilterHoldsItsKeysAndFewOthers(t *testing.T) {
	for _, n := range []int{1, 2, 1000, 50_000} {
		entries := entriesOf(n, 0)
		data, err := encodeFilter(entries)
		if err != nil {
			t.Fatal(err)
		}
		if most := n*11/8 + 32; len(data) > most {
			t.Errorf("a filter of %d keys has %d bytes, want at most %d", n, len(data), most)
		}
		f, err := decodeFilter(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !f.mayHold(e.key) {
				t.Fatalf("%s of %d was lost", e.key, n)
			}
		}
		wrong := 0
		for i := range 20_000 {
			if f.mayHold(fmt.Sprintf("other-%d", i)) {
				wrong++
			}
		}
		if wrong > 20_000/100 { // one in 256 is to be expected
			t.Errorf("with %d keys, %d of 20,000 absent ones passed", n, wrong)
		}
	}
}

func TestAMalformedFilterIsRefused(t *testing.T) {
	good, err := encodeFilter(entriesOf(500, 0))
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		// The last byte may hold nothing but padding.
		if _, err := decodeFilter(good[:n]); err == nil && n < len(good)-1 || err != nil && !errors.Is(err, errFilter) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(good), err)
		}
	}
	for _, raw := range []string{"", "CBAF", "CBAF\x02\x08\x00\x00\xff\xff\xff\xff", "CBAS\x02\x08\x00\x00\x00\x00\x00\x00",
		"CBAF\x01\x08\x00\x00\x00\x00\x00\x00", "CBAF\x02\x09\x00\x00\x00\x00\x00\x00"} {
		if _, err := decodeFilter([]byte(raw)); !errors.Is(err, errFilter) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// FuzzFilter checks that no filter makes the decoder panic or allocate without bound.
func FuzzFilter(f *testing.F) {
	for _, n := range []int{0, 1, 300} {
		data, err := encodeFilter(entriesOf(n, 0))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeFilter(data)
		if err != nil {
			return
		}
		if len(got.values) > len(data) {
			t.Fatalf("%d keys from %d bytes", len(got.values), len(data))
		}
		for i := 1; i < len(got.values); i++ {
			if got.values[i] < got.values[i-1] {
				t.Fatal("the values are not sorted")
			}
		}
	})
}

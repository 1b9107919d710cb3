package secret

import (
	"fmt"
	"slices"
)

// keywords finds all keywords of all rules in one pass over a text, whatever their case: the automaton of Aho and Corasick
// with every transition made, over classes of bytes.
//
// A. Aho, M. Corasick: Efficient string matching: an aid to bibliographic search (1975)
type keywords struct {
	class [256]uint8
	width int
	next  []uint16 // by state and class
	// first is the number of the first state that ends a keyword: those that do have the highest numbers.
	first uint16
	ends  [][]keyword // by state less first
}

// keyword is a word with the rules that have it.
type keyword struct {
	length int
	rules  []int
}

// maxStates is how many states the automaton may have.
const maxStates = 1<<16 - 1

// newKeywords makes the automaton of the rules' keywords.
func newKeywords(rules []*rule) (*keywords, error) {
	words := map[string][]int{}
	for i, r := range rules {
		for _, k := range r.keywords {
			words[k] = append(words[k], i)
		}
	}
	k := &keywords{width: 1}
	for w := range words {
		for _, b := range []byte(w) {
			if k.class[b] == 0 {
				if k.width == 255 {
					return nil, fmt.Errorf("the keywords of the rules have more than %d different bytes", k.width)
				}
				k.class[b] = uint8(k.width)
				k.width++
			}
		}
	}
	for b := byte('A'); b <= 'Z'; b++ {
		k.class[b] = k.class[b+'a'-'A']
	}
	t := trie{{}}
	for w, of := range words {
		if !t.add(w, k, keyword{length: len(w), rules: of}) {
			return nil, fmt.Errorf("the keywords of the rules are longer than %d bytes in all", maxStates)
		}
	}
	k.build(t)
	return k, nil
}

// trie is the tree of the keywords, by state.
type trie []node

type node struct {
	children map[uint8]int
	ends     []keyword
	fail     int
}

func (t *trie) add(word string, k *keywords, end keyword) bool {
	s := 0
	for _, b := range []byte(word) {
		child, ok := (*t)[s].children[k.class[b]]
		if !ok {
			if child = len(*t); child >= maxStates {
				return false
			}
			if (*t)[s].children == nil {
				(*t)[s].children = map[uint8]int{}
			}
			(*t)[s].children[k.class[b]] = child
			*t = append(*t, node{})
		}
		s = child
	}
	(*t)[s].ends = append((*t)[s].ends, end)
	return true
}

// build makes all transitions, breadth first, and numbers the states so that those that end a keyword come last.
func (k *keywords) build(t trie) {
	next := make([]int, len(t)*k.width)
	queue := []int{0}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		t[s].ends = slices.Concat(t[s].ends, endsOf(t, s))
		for c := range k.width {
			child, ok := t[s].children[uint8(c)]
			back := 0
			if s != 0 {
				back = next[t[s].fail*k.width+c]
			}
			if !ok {
				next[s*k.width+c] = back
				continue
			}
			next[s*k.width+c] = child
			t[child].fail = back
			queue = append(queue, child)
		}
	}
	number := make([]uint16, len(t))
	count := uint16(0)
	for _, ending := range []bool{false, true} {
		for s := range t {
			if (len(t[s].ends) > 0) == ending {
				number[s] = count
				count++
				if ending {
					k.ends = append(k.ends, t[s].ends)
				}
			}
		}
		if !ending {
			k.first = count
		}
	}
	k.next = make([]uint16, len(next))
	for s := range t {
		for c := range k.width {
			k.next[int(number[s])*k.width+c] = number[next[s*k.width+c]]
		}
	}
}

func endsOf(t trie, s int) []keyword {
	if s == 0 {
		return nil
	}
	return t[t[s].fail].ends
}

// find calls found for each keyword in the text, with the place where it begins.
func (k *keywords) find(text []byte, found func(w *keyword, start int)) {
	state := uint16(0)
	for i, b := range text {
		state = k.next[int(state)*k.width+int(k.class[b])]
		if state >= k.first {
			ends := k.ends[state-k.first]
			for e := range ends {
				found(&ends[e], i+1-ends[e].length)
			}
		}
	}
}

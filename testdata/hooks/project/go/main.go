// Command planted holds flaws that analysers find: it is scanned by tests, and never run.
package main

import "strings"

func main() {
	name := " planted "
	strings.TrimSpace(name)
	println(name, narrow(int64(len(name))<<40))
}

func narrow(n int64) int8 { return int8(n) }

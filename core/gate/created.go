package gate

import (
	"fmt"
	"strconv"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// endOf9999 is the last second that RFC 3339 can write, in Unix time.
const endOf9999 = 253402300799

// creationTime is the time that reports state: SOURCE_DATE_EPOCH if it is set, so that a build can be repeated byte for
// byte, otherwise now in whole seconds.
//
// https://reproducible-builds.org/specs/source-date-epoch/
func creationTime(getenv func(string) string, now time.Time) (time.Time, error) {
	epoch := getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return now.UTC().Truncate(time.Second), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 || seconds > endOf9999 {
		return time.Time{}, &core.Failure{Doing: "understand SOURCE_DATE_EPOCH", Usage: true,
			Err: fmt.Errorf("%q is not a number of seconds since 1970", epoch)}
	}
	return time.Unix(seconds, 0).UTC(), nil
}

package gitlab

import "cmp"

// LogLevel says how much the job is to log: what CLEANBILL_LOG_LEVEL says, or else what GitLab's scanners are told.
// Errors are always printed, so that "fatal" has nothing less than them to ask for.
//
// https://docs.gitlab.com/user/application_security/sast/#logging-level
func LogLevel(getenv func(string) string) string {
	level := cmp.Or(getenv("CLEANBILL_LOG_LEVEL"), getenv("SECURE_LOG_LEVEL"))
	if level == "fatal" {
		return "error"
	}
	return level
}

// Package gitlab makes the gate native on GitLab CI: the variables that templates/ set become a Plan, and a Result becomes
// dotenv variables for later jobs, the reports that GitLab shows, a note on the merge request, and a log in collapsible
// sections.
//
// It translates and shows, and decides nothing. The directory is also the root of a CI/CD component project: templates/,
// README.md, LICENSE.md and .gitlab-ci.yml are published as they are.
//
// https://docs.gitlab.com/ci/components/
package gitlab

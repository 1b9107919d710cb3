// Package sonar asks a SonarQube server, or SonarQube Cloud, what it found: it waits for the analysis of a scan, reads
// the quality gate, and brings issues of security and hotspots that nobody reviewed as findings.
//
// The token goes to the one host that the user named, encrypted, and nowhere else: what lies in the workspace, such as
// report-task.txt, may say which analysis is meant, and never where the token is sent. What cannot be learned is an
// examination that is not complete. Nothing here judges: a gate that failed is a finding.
//
// https://docs.sonarsource.com/sonarqube-server/latest/extension-guide/web-api/
package sonar

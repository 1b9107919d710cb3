module github.com/cleanbill-ci/cleanbill/.ci/tools/olareg
go 1.25
require github.com/olareg/olareg v0.1.2

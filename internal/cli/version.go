package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is what the build recorded: the module's version or, for a build
// from a checkout, the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, commit, dirty := info.Main.Version, "", ""
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return fmt.Sprintf("%s%s%s (%s %s/%s)", v, commit, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator/sample"
)

// all are the files of a list, no two of one name.
func (r *reader) all(path string, list []giftSpec, p *protocol.Profile) (out []Gift) {
	names := map[string]bool{}
	for n := range list {
		gifts := r.gifts(fmt.Sprintf("%s[%d]", path, n), &list[n], p)
		for _, g := range gifts {
			if names[g.Name] {
				r.bad(fmt.Sprintf("%s[%d].name", path, n), g.Name, fault.Say("other_name"))
				break
			}
			names[g.Name] = true
		}
		out = append(out, gifts...)
	}
	return out
}

// gifts are the files of one entry.
func (r *reader) gifts(path string, g *giftSpec, p *protocol.Profile) []Gift {
	if g.Name == "" {
		r.bad(path+".name", "", fault.Say("wire_name"))
		return nil
	}
	size, ok := r.made(g, p)
	if !ok {
		r.bad(path, g.Name, fault.Say("most_file", "most", int64(mostBytes)))
		return nil
	}
	if g.Path != "" && (size != 0 || g.Sample != "") {
		r.bad(path, g.Name, fault.Say("path_or_size"))
	}
	if g.Path != "" {
		if _, err := os.Stat(r.beside(g.Path)); err != nil {
			r.bad(path+".path", g.Path, fault.Say("file_beside"))
		}
		g.Path = r.beside(g.Path)
	}
	kind := sample.Kind(g.Sample)
	if g.Sample != "" && sample.RecordLength(kind) == 0 {
		r.bad(path+".sample", g.Sample, fault.Say("sample_kind"))
	}
	copies := r.count(path+".copies", g.Copies, 1, mostCopies)
	var out []Gift
	for n := range copies {
		r.seeds++
		name := r.name(g.Name, n+1)
		wire := name
		if p.Files.Serial {
			wire, _, _ = strings.Cut(name, ".")
		}
		if !givable(name) {
			r.bad(path+".name", name, fault.Say("plain_name"))
			break
		}
		if len(wire) > p.Files.NameWidth {
			r.bad(path+".name", wire, fault.Say("most_characters", "most", p.Files.NameWidth))
			break
		}
		if copies > 1 && n == 1 && name == out[0].Name {
			r.bad(path+".name", g.Name, fault.Say("numbered_name"))
			break
		}
		out = append(out, Gift{Name: name, Wire: wire, Path: g.Path, Sample: kind, Size: size, Seed: r.seeds, Unregistered: g.Unknown})
	}
	return out
}

// made is how many bytes the file has that is made; false if that cannot be.
func (r *reader) made(g *giftSpec, p *protocol.Profile) (size int64, ok bool) {
	for _, of := range []struct{ count, bytes int64 }{{g.Bytes, 1}, {g.Telegrams, int64(r.size)}, {g.Blocks, int64(r.size) * int64(p.Files.PerBlock)}} {
		if of.count < 0 || of.count > mostBytes || of.bytes > 0 && of.count > mostBytes/of.bytes {
			return 0, false
		}
		size += of.count * of.bytes
	}
	return size, size <= mostBytes
}

// givable reports that a Peer gives a file of this name, from its own directory.
func givable(name string) bool {
	return filepath.IsLocal(name) && filepath.Base(name) == name && !strings.HasPrefix(name, ".") &&
		!strings.HasSuffix(name, ".tmp") && !strings.HasSuffix(name, ".part")
}

var inName = regexp.MustCompile(`\$\{(MMdd|yyyyMMdd|yyMMdd|n:(\d))\}`)

func (r *reader) name(name string, n int) string { return FileName(name, n, r.o.Today) }

// FileName puts a date and the number of a copy into a name: ${MMdd}, ${yyMMdd},
// ${yyyyMMdd}, ${n:3}.
func FileName(name string, n int, day time.Time) string {
	return inName.ReplaceAllStringFunc(name, func(v string) string {
		switch v {
		case "${MMdd}":
			return day.Format("0102")
		case "${yyMMdd}":
			return day.Format("060102")
		case "${yyyyMMdd}":
			return day.Format("20060102")
		}
		width, _ := strconv.Atoi(v[4:5])
		return fmt.Sprintf("%0*d", width, n)
	})
}

package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"time"

	"pabal/filemgr"
	"pabal/instance"
	"pabal/internal/fault"
	"pabal/protocol"
	"pabal/simulator"
	"pabal/simulator/sample"
)

// benchProfile is a profile that files are carried by. The institution calls
// and sends.
type benchProfile struct {
	*protocol.Profile
	name, source string // source: what --protocol says, a name or a file
	names        benchNames
}

func newBenchProfile(source string, day time.Time) (benchProfile, error) {
	p, err := loadProfile(source)
	if err != nil {
		return benchProfile{}, err
	}
	dated := p.Session.NamesFile || p.Carries(protocol.DataTelegram, protocol.Date) || p.Carries(protocol.Info, protocol.Date)
	return benchProfile{Profile: p, name: p.Name, source: source, names: benchNames{
		digits: min(p.Files.NameWidth, benchNameWidth) - 1, dated: dated && p.Files.NameWidth < benchNameWidth, day: day,
	}}, nil
}

// benchForm is what files consist of: records as the sample files have them.
func benchForm() filemgr.Form {
	return filemgr.Form{Kind: filemgr.Fixed, Length: sample.RecordLength(sample.EB21)}
}

// dataSize is how many data bytes a full telegram has: whole records.
func (p benchProfile) dataSize() (int, error) {
	return simulator.Options{Profile: p.Profile, Record: benchForm().Length}.DataSize()
}

// sender is who the near end says it is, where the profile has a place for it.
func (p benchProfile) sender() instance.Credentials {
	var c instance.Credentials
	if p.Carries(protocol.Open, protocol.SenderName) || p.Has(protocol.Login) {
		c.Name = "Honggildong"
	}
	if p.Carries(protocol.Open, protocol.SenderPassword) || p.Has(protocol.Login) {
		c.Password = "123ABC"
	}
	return c
}

// benchNameWidth is as wide as names need be: B and seven digits.
const benchNameWidth = 8

// benchNames are the names of files by their numbers: a letter, which is the file
// ID, and digits. Where a name has no room for enough digits there are more
// letters, and where its day travels too, each day has files of its own, as it has
// in use.
type benchNames struct {
	digits int
	dated  bool
	day    time.Time // of the first files; the others are from days before
}

// benchDays is how far back days go: a date without a year is that of the year
// that brings it nearest.
const benchDays = 180

// perDay is how many files can have one day's names.
func (n benchNames) perDay() int { return len(n.letters()) * n.perLetter() }

func (n benchNames) perLetter() int { return int(math.Pow10(n.digits)) }

// letters are the file IDs.
func (n benchNames) letters() string {
	if n.digits == benchNameWidth-1 {
		return "B"
	}
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}

// room is an error where there are more files than names.
func (n benchNames) room(profile string, files int) error {
	most := n.perDay()
	if n.dated {
		most *= benchDays
	}
	if n.digits < 1 || files > most {
		return usageError{fault.New(codeBenchNames, profile, "files", files, "most", max(0, most))}
	}
	return nil
}

// of is the name on the wire of a file that is called by its number, and its
// base date.
func (n benchNames) of(path string) (wire, date string) {
	number, _ := strconv.Atoi(filepath.Base(path)) // we have named it
	of := number % n.perDay()
	return fmt.Sprintf("%c%0*d", n.letters()[of/n.perLetter()], n.digits, of%n.perLetter()), n.day.AddDate(0, 0, -number/n.perDay()).Format("20060102")
}

// dropped is its name in the scan directory. A date that does not travel is left
// out, as it is that of today.
func (n benchNames) dropped(path, institution string) string {
	wire, date := n.of(path)
	name := wire[:1] + "." + wire + "." + institution + ".BENCH"
	if n.dated {
		name += "." + date
	}
	return name
}

// placed is its name in the receive directory, which received tells the
// registration.
func (n benchNames) placed(path string) string { return n.name(n.of(path)) }

func (n benchNames) received() string {
	if n.dated {
		return "${WIRE_NAME}+.+${yyyyMMdd:8}"
	}
	return "${WIRE_NAME}"
}

// script is how registrations know the names.
func (n benchNames) script() string { return fmt.Sprintf("${FILE_ID:1}+${SEQ:%d}", n.digits) }

// name is what a file is called at both ends.
func (n benchNames) name(wire, date string) string {
	if n.dated {
		return wire + "." + date
	}
	return wire
}

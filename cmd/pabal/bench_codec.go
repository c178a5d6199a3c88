package main

import (
	"time"

	"pabal/protocol"
)

// A full telegram is written and read in many short rounds, of which the quickest
// counts: the clock of a round runs on while another process has the processor.
const (
	codecRounds = 200
	codecTimes  = 2000
)

// measureCodec writes and reads a full data telegram.
func measureCodec(p benchProfile) (benchTaken, error) {
	head := protocol.Telegram{Kind: protocol.DataTelegram}
	name, date := p.names.of("1")
	head.SetText(protocol.Name, name)
	head.SetText(protocol.Date, date)
	tpl, err := p.Template(&head, p.MostData())
	if err != nil {
		return benchTaken{}, err
	}
	size, err := p.dataSize()
	if err != nil {
		return benchTaken{}, err
	}
	data, buf := make([]byte, size), make([]byte, 0, p.FrameBuffer())
	frame, err := tpl.Append(nil, 1, 1, data)
	if err != nil {
		return benchTaken{}, err
	}
	var t benchTaken
	encode := func(n int) error {
		for i := range n {
			if _, err := tpl.Append(buf, 1, 1+i%100, data); err != nil {
				return err
			}
		}
		return nil
	}
	var back protocol.Telegram
	decode := func(n int) error {
		for range n {
			if err := p.Decode(frame, &back); err != nil {
				return err
			}
		}
		return nil
	}
	for _, one := range []struct {
		f    func(int) error
		into *float64
	}{{encode, &t.EncodeNS}, {decode, &t.DecodeNS}} {
		for range codecRounds {
			began := time.Now()
			if err := one.f(codecTimes); err != nil {
				return t, err
			}
			if ns := float64(time.Since(began).Nanoseconds()) / codecTimes; *one.into == 0 || ns < *one.into {
				*one.into = ns
			}
		}
	}
	return t, nil
}

package config

import "time"

// setDefaults is called before a mapping is decoded into the struct, so that a
// key that is written always wins, also with a zero.

func (c *Config) setDefaults() {
	c.Zone = "Asia/Seoul"
	c.Database.Wait = 5 * time.Minute
	c.Lease = 15 * time.Second
	c.Database.Keeper = KeeperDatabase
	c.Log = Log{Level: "info", Format: "auto"}
	c.Scan = Scan{Every: 2 * time.Second, Settle: 2 * time.Second}
	c.Retention.setDefaults()
	c.Mask = MaskReason
	c.SessionLog.setDefaults()
}

// What a counterparty disputes after weeks can be looked up; content is in no
// log unless somebody says so.
func (l *SessionLog) setDefaults() {
	*l = SessionLog{Level: LogHeaders, Keep: 30 * 24 * time.Hour, Session: 16 << 20, Total: 2 << 30}
}

// Content goes when it stands in backup/ or under its name; everything that
// cannot be had again stays until somebody says otherwise.
func (r *Retention) setDefaults() { r.Payload, r.Journal = 7*24*time.Hour, 30*24*time.Hour }

func (i *Instance) setDefaults() {
	i.Sessions = 64
	i.Limits = Door{Handshake: 10 * time.Second, Opening: Phase{Time: time.Minute, Bytes: 64 << 10, Mistakes: 20}}
}

// Times and rounds are those seen in use (protocols §3).
func (i *Institution) setDefaults() {
	i.Sessions = Sessions{Send: 1, Receive: 1}
	i.Mask = MaskReason
	i.Retry = Retry{First: 30 * time.Second, Max: 10 * time.Minute}
	i.Timeouts = Timeouts{Connect: 5 * time.Second, Handshake: 10 * time.Second, Reply: 60 * time.Second}
	i.Limits = Limits{Between: Phase{Bytes: 16 << 20, Mistakes: 100}, File: Phase{Time: 24 * time.Hour, Mistakes: 100}}
	i.Rounds = 10
	i.ResumeAge = 4 * time.Hour
	i.RepeatAge = 12 * time.Hour
	i.Approval.Expires = 24 * time.Hour
}

func (a *Approval) setDefaults() { a.Expires = 24 * time.Hour }

func (w *Window) setDefaults() { w.Every = 10 * time.Minute }

func (c *Closed) setDefaults() { c.For = "both" }

func (f *File) setDefaults() {
	f.Record = Record{Form: "fixed"}
	f.Empty = "refuse"
	f.Existing = "wait"
}

package line

import "pabal/internal/fault"

const (
	CodeResume     fault.Code = "transfer.resume_part" // the part of a block that the store holds does not fit this session
	CodePhaseTime  fault.Code = "session.phase_time"   // a phase took longer than it may
	CodePhaseBytes fault.Code = "session.phase_bytes"  // … or more was sent in it
)

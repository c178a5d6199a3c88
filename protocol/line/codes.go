package line

import "pabal/internal/fault"

// CodeResume says that the part of a block that the store holds does not fit this session.
const CodeResume fault.Code = "transfer.resume_part"

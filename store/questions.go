package store

// What a question about transfers begins with. There is an index for each kind
// of question, and each is only of the rows of which a term is true that is true of
// all there are, or of all that the question is about. Saying the term names the
// index. No planner takes another one then, whatever its statistics say, because it
// cannot know that the term is always true.
const (
	openByStatus      = "claimable = 1 AND status <> ''"      // transfers_claimable
	openByInstitution = "claimable = 1 AND institution <> ''" // transfers_ready
	openByName        = "claimable = 1 AND wire_name <> ''"   // transfers_open
	openInHand        = "claimable = 1 AND owner <> ''"       // transfers_owned; this one is not true of all
	openByAsk         = "claimable = 1 AND ask <> ''"         // transfers_asked; neither is this

	byIdentity = "direction <> ''" // transfers_identity
	byTime     = "id <> ''"        // transfers_created

	endedByStatus      = "claimable = 0 AND status <> ''"      // transfers_ended
	endedByInstitution = "claimable = 0 AND institution <> ''" // transfers_ended_of
)

// oneOf says that a column before it has one of the values that a query finds.
// The query is made first, and once, and the rows are then looked up: a planner
// that takes IN for a join may make it again for every row.
func (s *statements) oneOf(query string) string {
	if s.among[0] == "" {
		return " IN (" + query + ")"
	}
	return s.among[0] + query + s.among[1]
}

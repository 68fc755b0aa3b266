// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// ConditionReady is the type of a rule's one condition. It is True while new values come in or nobody asks for them,
// Unknown before the first evaluation, and False otherwise; what is still within maxAge or holdFor is answered all the same.
const ConditionReady = "Ready"

// The reasons of a rule's Ready condition. The set is closed: alerts and scripts may rely on it.
const (
	ReasonWorking    = "Working"
	ReasonIdle       = "Idle"
	ReasonAgeUnknown = "AgeUnknown"
	ReasonIncomplete = "Incomplete"

	ReasonNotEvaluated = "NotEvaluated"

	ReasonParseError      = "ParseError"
	ReasonUnknownResource = "UnknownResource"
	ReasonOtherNamespace  = "OtherNamespace"
	ReasonConflict        = "Conflict"

	ReasonNoData           = "NoData"
	ReasonNoSample         = "NoSample"
	ReasonMissingLabel     = "MissingLabel"
	ReasonUnknownObjects   = "UnknownObjects"
	ReasonAmbiguousObjects = "AmbiguousObjects"
	ReasonNotFinite        = "NotFinite"
	ReasonTooManySeries    = "TooManySeries"
	ReasonGuardFailed      = "GuardFailed"
	ReasonStale            = "Stale"

	ReasonSourceUnreachable = "SourceUnreachable"
	ReasonSourceRefused     = "SourceRefused"
	ReasonSourceFailed      = "SourceFailed"
	ReasonBadAnswer         = "BadAnswer"
	ReasonPartialAnswer     = "PartialAnswer"
	ReasonTimedOut          = "TimedOut"
)

// Reasons lists the closed set, in the order in which a reader meets them.
func Reasons() []string {
	return []string{
		ReasonWorking, ReasonIdle, ReasonAgeUnknown, ReasonIncomplete, ReasonNotEvaluated,
		ReasonParseError, ReasonUnknownResource, ReasonOtherNamespace, ReasonConflict,
		ReasonNoData, ReasonNoSample, ReasonMissingLabel, ReasonUnknownObjects, ReasonAmbiguousObjects,
		ReasonNotFinite, ReasonTooManySeries, ReasonGuardFailed, ReasonStale,
		ReasonSourceUnreachable, ReasonSourceRefused, ReasonSourceFailed,
		ReasonBadAnswer, ReasonPartialAnswer, ReasonTimedOut,
	}
}

// Meaning says in a sentence or two what a reason means and what to do about it; "" for a word that is not a reason.
func Meaning(reason string) string {
	switch reason {
	case ReasonWorking:
		return "Values come in at every interval."
	case ReasonIdle:
		return "The rule worked when it was last evaluated; nobody reads its metric, so it rests until somebody does."
	case ReasonIncomplete:
		return "Values come in, but a member cluster was declared failed and counts as 0. The values carry the label plimsoll.dev/incomplete with its name."
	case ReasonAgeUnknown:
		return "Values come in, but the query (a subquery, or a source that ignores the look-back) hides when they were measured. " +
			"Their time is that of the evaluation; rewrite the query without a subquery to get true ages."
	case ReasonNotEvaluated:
		return "The rule is new or has changed, and its first evaluation has not ended yet."
	case ReasonParseError:
		return "The query or the guard is not PromQL that results in an instant vector. Correct it; until then the metric answers with an error."
	case ReasonUnknownResource:
		return "The API server does not serve spec.object.resource, or serves it in several groups. Write plural and group, for example deployments.apps."
	case ReasonOtherNamespace:
		return "A MetricRule asks for series of another namespace, or its series name one; they are dropped. " +
			"Remove the namespace from the query, or use a ClusterMetricRule."
	case ReasonConflict:
		return "An older rule of the same scope already defines this metric for the same resource, and it stays in force. Rename or delete one of the two."
	default:
		return dataMeaning(reason)
	}
}

func dataMeaning(reason string) string {
	switch reason {
	case ReasonNoData:
		return "The query has no series. Run it against the source, and check that the application is scraped."
	case ReasonNoSample:
		return "The query has a value although none of its selectors has a series, as sum(x) or vector(0) has when x is gone. " +
			"Nobody can tell that from a dead source; add a guard that says that the source is well, such as up{job=\"shop\"} == 1."
	case ReasonMissingLabel:
		return "Series lack the label that names their object. Keep it in the query's `by (...)`, or correct nameLabel and namespaceLabel."
	case ReasonUnknownObjects:
		return "No series names an object that exists. Check nameLabel and namespaceLabel: the scrape may have stored the exporter's own pod name there."
	case ReasonAmbiguousObjects:
		return "Several series describe one object, so none of them can be its value. Aggregate in the query with `sum by (...)`."
	case ReasonNotFinite:
		return "Values are NaN or infinite, often a division by zero. Those objects answer with an error; guard the division in the query."
	case ReasonTooManySeries:
		return "The query has more series than maxSeries; the answer was thrown away. Aggregate in the query, or raise maxSeries."
	case ReasonGuardFailed:
		return "The guard does not hold, so the new values were thrown away. The guard says what to look at first."
	case ReasonStale:
		return "The values were measured longer than maxAge ago. Check that the application is still scraped."
	default:
		return sourceMeaning(reason)
	}
}

func sourceMeaning(reason string) string {
	switch reason {
	case ReasonSourceUnreachable:
		return "No connection to the metric source: address, network or certificate. The message has the cause."
	case ReasonSourceRefused:
		return "The metric source refused the query: rights, limits, or PromQL it does not know. The message has its words."
	case ReasonSourceFailed:
		return "The metric source answered with an error of its own (5xx). Look at its logs."
	case ReasonBadAnswer:
		return "The answer is truncated or is not that of a Prometheus HTTP API. Check the address, and proxies on the way."
	case ReasonPartialAnswer:
		return "The source answered with a warning: a part of the data is missing, and a part of a sum is a wrong sum. The answer was thrown away."
	case ReasonTimedOut:
		return "The metric source did not answer in time. Make the query cheaper with a recording rule, or raise the interval."
	default:
		return ""
	}
}

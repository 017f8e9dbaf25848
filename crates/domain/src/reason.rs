//! Reason codes: why an image has no answer, why a message was parked, what else is to be known of an answer.

/// A code of `findings.reason`, `parked_messages.reason` or `studies`. Stable: integration engineers match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    // Not assessable: the image is sound, the network has no business with it.
    /// A transfer syntax or compression we do not decode.
    UnsupportedTransferSyntax,
    /// Event or header say that it is no lateral cervical-spine radiograph.
    OutOfScope,
    /// Scope could not be confirmed and the setting asks for it.
    ScopeUnknown,
    /// A colour image: no plain radiograph.
    Colour,
    /// All pixels alike.
    Constant,
    /// Under 64 pixels in width or height.
    TooSmall,
    /// By its pixels nothing that the network was made for: beyond the gate's outer threshold.
    OutOfDistribution,

    // Marks on an answer that was given.
    /// Scored, though nothing confirms that it is a lateral cervical spine.
    ScopeUnconfirmed,
    /// Scored, though it looks unlike most of what the network was made for: between the gate's thresholds.
    Atypical,
    /// The same SOP instance UID came with other bytes.
    Conflict,

    // Parked: a person must look.
    /// The object never came, within the whole retry ladder.
    ObjectMissing,
    /// The object stayed shorter than the event said.
    ObjectShort,
    /// Full length and another SHA-256.
    HashMismatch,
    /// No decoder could read it.
    Undecodable,
    /// Over a limit on bytes, width, height, pixels or memory.
    OverLimit,
    /// An object key that is absolute, has a scheme or climbs out.
    BadKey,
    /// The event is not what its schema asks for.
    BadSchema,
    /// An event type or major version we do not know.
    BadVersion,
    /// The UIDs of event and header differ.
    IdentityMismatch,
    /// The network's output was not finite.
    NotFinite,
    /// Decoding it alone, under limits, crashed or took too long.
    Poison,
    /// A study's state changed, and no image of that study ever came.
    UnknownStudy,
    /// Another transaction kept its study or image locked, within the whole retry ladder.
    Locked,
    /// The broker gave it up (delivery limit, expiry) or could not route it.
    DeadLettered,
    /// Its message was lost, again and again, however often it was published anew.
    Unanswered,
}

crate::words!(Reason, "reason code", {
    UnsupportedTransferSyntax => "unsupported_transfer_syntax",
    OutOfScope => "out_of_scope",
    ScopeUnknown => "scope_unknown",
    Colour => "colour",
    Constant => "constant",
    TooSmall => "too_small",
    OutOfDistribution => "out_of_distribution",
    ScopeUnconfirmed => "scope_unconfirmed",
    Atypical => "atypical",
    Conflict => "conflict",
    ObjectMissing => "object_missing",
    ObjectShort => "object_short",
    HashMismatch => "hash_mismatch",
    Undecodable => "undecodable",
    OverLimit => "over_limit",
    BadKey => "bad_key",
    BadSchema => "bad_schema",
    BadVersion => "bad_version",
    IdentityMismatch => "identity_mismatch",
    NotFinite => "not_finite",
    Poison => "poison",
    UnknownStudy => "unknown_study",
    Locked => "locked",
    DeadLettered => "dead_lettered",
    Unanswered => "unanswered",
});

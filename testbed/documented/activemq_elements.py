"""The elements of a customer's ActiveMQ configuration, their attributes and permitted values.

Source: XSD, the schema that Amazon MQ publishes for 5.19.1 and sanitises by. PERM agrees with it
except for slips (attributes in the wrong row) and for ``networkConnectorStartAsync``, which only
PERM has; it is included.

Deliberately absent, so that it cannot be configured: any address to listen on, ``sslContext``,
storage locations, users and passwords, JMX, and everything outside ActiveMQ's own namespace
(``beans``, ``import``).
"""

from dataclasses import dataclass

NAMESPACE = "http://activemq.apache.org/schema/core"
ROOT = "broker"
# PERM has this element of ``authorizationPlugin``, which takes groups from an LDAP server. The
# testbed has none.
LDAP_MAP = "cachedLDAPAuthorizationMap"
# The group of all users with access to the console, besides their own (GUIDE22, "security-
# authentication-authorization": an authorization map without it breaks the console).
CONSOLE_GROUP = "activemq-webconsole"

# API, SanitizationWarningReason; and how many warnings a response carries.
DISALLOWED_ELEMENT = "DISALLOWED_ELEMENT_REMOVED"
DISALLOWED_ATTRIBUTE = "DISALLOWED_ATTRIBUTE_REMOVED"
INVALID_VALUE = "INVALID_ATTRIBUTE_VALUE_REMOVED"
WARNINGS_MAX = 20


@dataclass(frozen=True)
class Value:
    """``kind`` is a type of XML Schema; ``minimum``, ``maximum`` and ``choices`` narrow it."""

    kind: str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collection:
    """A child element that only holds other elements.

    A ``single`` one occurs once and holds exactly one of ``children``.
    """

    children: tuple[str, ...]
    single: bool


def _attributes(**kinds: str | Value) -> dict[str, Value]:
    """Return attributes by name, from names by kind or from a name with its own ``Value``."""
    values: dict[str, Value] = {}
    for kind, names in kinds.items():
        values |= (
            {kind: names}
            if isinstance(names, Value)
            else {name: Value(kind) for name in names.split()}
        )
    return values


def _one(children: str) -> Collection:
    return Collection(tuple(children.split()), single=True)


def _many(children: str) -> Collection:
    return Collection(tuple(children.split()), single=False)


_ACCESS = _attributes(boolean="tempQueue tempTopic", string="admin queue read topic write")
_AUDIT = "maxAuditDepth maxProducersToAudit"
_COMPOSITE = _attributes(
    boolean="concurrentSend copyMessage forwardOnly sendWhenNotMatched", string="name"
)
_DEAD_LETTER = "enableAudit processExpired processNonPersistent"
_DESTINATION = _attributes(boolean="DLQ", string="physicalName")
_EVICTION = "evictExpiredMessagesHighWatermark"
_SLOW = "abortConnection ignoreNetworkConsumers"
_SLOW_FOR = "checkPeriod maxSlowCount maxSlowDuration"

ATTRIBUTES: dict[str, dict[str, Value]] = {
    "abortSlowAckConsumerStrategy": _attributes(
        boolean=f"{_SLOW} ignoreIdleConsumers",
        long=f"{_SLOW_FOR} maxTimeSinceLastAck",
        string="name",
    ),
    "abortSlowConsumerStrategy": _attributes(boolean=_SLOW, long=_SLOW_FOR, string="name"),
    "authorizationEntry": _ACCESS,
    "authorizationMap": {},
    "authorizationPlugin": {},
    "broker": _attributes(
        boolean="allowTempAutoCreationOnSend anonymousProducerAdvisorySupport "
        "cacheTempDestinations dedicatedTaskRunner "
        "enableMessageExpirationOnActiveDurableSubs keepDurableSubsActive "
        "monitorConnectionSplits networkConnectorStartAsync populateJMSXUserID "
        "rejectDurableConsumers rollbackOnlyOnAsyncException "
        "splitSystemUsageForProducersConsumers useAuthenticatedPrincipalForJMSXUserID "
        "useMirroredQueues useTempMirroredQueues useVirtualDestSubs "
        "useVirtualDestSubsOnCreation useVirtualTopics",
        integer="consumerSystemUsagePortion maxPurgedDestinationsPerSweep "
        "maxSchedulerRepeatAllowed maxUncommittedCount persistenceThreadPriority "
        "producerSystemUsagePortion schedulePeriodForDestinationPurge "
        "taskRunnerPriority timeBeforePurgeTempDestinations",
        long="offlineDurableSubscriberTaskSchedule offlineDurableSubscriberTimeout",
        string="advisorySupport deleteAllMessagesOnStartup persistent schedulerSupport systemUsage",
    ),
    "cachedMessageGroupMapFactory": _attributes(integer="cacheSize"),
    "clientIdFilterDispatchPolicy": _attributes(string="ptpClientId ptpSuffix"),
    "compositeQueue": _COMPOSITE,
    "compositeTopic": _COMPOSITE,
    "conditionalNetworkBridgeFilterFactory": _attributes(
        boolean="replayWhenNoConsumers selectorAware", integer="rateDuration rateLimit replayDelay"
    ),
    "constantPendingMessageLimitStrategy": _attributes(integer="limit"),
    "discarding": _attributes(
        boolean=_DEAD_LETTER, integer=_AUDIT, long="expiration", string="deadLetterQueue"
    ),
    "discardingDLQBrokerPlugin": _attributes(
        boolean="dropAll dropTemporaryQueues dropTemporaryTopics",
        integer="reportInterval",
        string="dropOnly",
    ),
    "fileCursor": {},
    "fileDurableSubscriberCursor": {},
    "fileQueueCursor": {},
    "filteredDestination": _attributes(string="queue selector topic"),
    "fixedCountSubscriptionRecoveryPolicy": _attributes(integer="maximumSize"),
    "fixedSizedSubscriptionRecoveryPolicy": _attributes(
        boolean="useSharedBuffer", integer="maximumSize"
    ),
    "forcePersistencyModeBrokerPlugin": _attributes(boolean="persistenceFlag"),
    "individualDeadLetterStrategy": _attributes(
        boolean=f"{_DEAD_LETTER} destinationPerDurableSubscriber useQueueForQueueMessages "
        "useQueueForTopicMessages",
        integer=_AUDIT,
        long="expiration",
        string="queuePrefix queueSuffix topicPrefix topicSuffix",
    ),
    "kahaDB": _attributes(
        boolean="cleanupOnStop concurrentStoreAndDispatchQueues",
        checkpointInterval=Value("long", 5000, 25000),
        indexWriteBatchSize=Value("long", 1000, 3000),
        long="journalDiskSyncInterval",
        journalDiskSyncStrategy=Value("string", choices=("always", "periodic", "never")),
        preallocationStrategy=Value("string", choices=("sparse_file", "os_kernel_copy", "zeros")),
    ),
    "lastImageSubscriptionRecoveryPolicy": {},
    "memoryUsage": _attributes(percentOfJvmHeap=Value("integer", 0, 70)),
    "messageGroupHashBucketFactory": _attributes(integer="bucketCount cacheSize"),
    "mirroredQueue": _attributes(boolean="copyMessage", string="postfix prefix"),
    "networkConnector": _attributes(
        boolean="advisoryForFailedForward alwaysSyncSend bridgeTempDestinations "
        "checkDuplicateMessagesOnDuplex conduitNetworkQueueSubscriptions "
        "conduitSubscriptions decreaseNetworkConsumerPriority dispatchAsync duplex "
        "dynamicOnly gcDestinationViews staticBridge "
        "suppressDuplicateQueueSubscriptions suppressDuplicateTopicSubscriptions "
        "syncDurableSubs useBrokerNameAsIdSees useCompression useVirtualDestSubs",
        integer="advisoryAckPercentage advisoryPrefetchSize consumerPriorityBase consumerTTL "
        "messageTTL networkTTL",
        long="gcSweepTime",
        string="bridgeFactory brokerName brokerURL clientIdToken connectionFilter "
        "destinationFilter localUri name objectName prefetchSize uri userName",
    ),
    "noSubscriptionRecoveryPolicy": {},
    "oldestMessageEvictionStrategy": _attributes(integer=_EVICTION),
    "oldestMessageWithLowestPriorityEvictionStrategy": _attributes(integer=_EVICTION),
    "policyEntry": _attributes(
        boolean="advisoryForConsumed advisoryForDelivery advisoryForDiscardingMessages "
        "advisoryForDispatched advisoryForFastProducers advisoryForSlowConsumers "
        "advisoryWhenFull allConsumersExclusiveByDefault alwaysRetroactive "
        "doOptimzeMessageStorage enableAudit gcInactiveDestinations "
        "gcWithNetworkConsumers includeBodyForAdvisory lazyDispatch optimizedDispatch "
        "persistJMSRedelivered prioritizedMessages producerFlowControl "
        "reduceMemoryFootprint sendAdvisoryIfNoConsumers sendDuplicateFromStoreToDLQ "
        "sendFailIfNoSpace strictOrderDispatch tempQueue tempTopic useCache "
        "useConsumerPriority usePrefetchExtension useTopicSubscriptionInflightStats",
        integer="consumersBeforeDispatchStarts cursorMemoryHighWaterMark durableTopicPrefetch "
        "maxAuditDepth maxBrowsePageSize maxDestinations maxExpirePageSize "
        "maxPageSize maxProducersToAudit maxQueueAuditDepth "
        "optimizeMessageStoreInFlightLimit queueBrowserPrefetch queuePrefetch "
        "storeUsageHighWaterMark timeBeforeDispatchStarts topicPrefetch",
        long="blockedProducerWarningInterval expireMessagesPeriod inactiveTimeoutBeforeGC "
        "inactiveTimoutBeforeGC minimumMessageSize sendFailIfNoSpaceAfterTimeout",
        string="memoryLimit messageGroupMapFactoryType queue topic",
    ),
    "policyMap": {},
    "prefetchRatePendingMessageLimitStrategy": _attributes(double="multiplier"),
    "priorityDispatchPolicy": {},
    "priorityNetworkDispatchPolicy": {},
    "queryBasedSubscriptionRecoveryPolicy": _attributes(string="query"),
    "queue": _DESTINATION,
    "redeliveryPlugin": _attributes(boolean="fallbackToDeadLetter sendToDlqIfMaxRetriesExceeded"),
    "redeliveryPolicy": _attributes(
        boolean="preDispatchCheck tempQueue tempTopic useCollisionAvoidance useExponentialBackOff",
        short="collisionAvoidancePercent",
        integer="maximumRedeliveries",
        long="initialRedeliveryDelay maximumRedeliveryDelay redeliveryDelay",
        double="backOffMultiplier",
        string="queue topic",
    ),
    "redeliveryPolicyMap": {},
    "retainedMessageSubscriptionRecoveryPolicy": {},
    "roundRobinDispatchPolicy": {},
    "sharedDeadLetterStrategy": _attributes(
        boolean=_DEAD_LETTER, integer=_AUDIT, long="expiration"
    ),
    "simpleDispatchPolicy": {},
    "simpleMessageGroupMapFactory": {},
    "statisticsBrokerPlugin": {},
    "storeCursor": {},
    "storeDurableSubscriberCursor": _attributes(boolean="immediatePriorityDispatch useCache"),
    "strictOrderDispatchPolicy": {},
    "systemUsage": _attributes(boolean="sendFailIfNoSpace", long="sendFailIfNoSpaceAfterTimeout"),
    "tempDestinationAuthorizationEntry": _ACCESS,
    "tempQueue": _DESTINATION,
    "tempTopic": _DESTINATION,
    "timeStampingBrokerPlugin": _attributes(
        boolean="futureOnly processNetworkMessages", long="ttlCeiling zeroExpirationOverride"
    ),
    "timedSubscriptionRecoveryPolicy": _attributes(long="recoverDuration"),
    "topic": _DESTINATION,
    "transportConnector": _attributes(
        boolean="rebalanceClusterClients updateClusterClients updateClusterClientsOnRemove",
        name=Value("string", choices=("openwire",)),
    ),
    "uniquePropertyMessageEvictionStrategy": _attributes(integer=_EVICTION, string="propertyName"),
    "virtualDestinationInterceptor": {},
    "virtualTopic": _attributes(
        boolean="concurrentSend dropOnResourceLimit local selectorAware "
        "setOriginalDestination transactedSend",
        string="name postfix prefix",
    ),
    "vmCursor": {},
    "vmDurableCursor": {},
    "vmQueueCursor": {},
}
# What the schema of 5.18.4 does not have yet.
SINCE = {("broker", "maxUncommittedCount"): "5.19"}

_DESTINATIONS = "queue tempQueue tempTopic topic"
_FORWARDS = f"{_DESTINATIONS} filteredDestination"
_RECOVERY = (
    "fixedCountSubscriptionRecoveryPolicy fixedSizedSubscriptionRecoveryPolicy "
    "lastImageSubscriptionRecoveryPolicy noSubscriptionRecoveryPolicy "
    "queryBasedSubscriptionRecoveryPolicy retainedMessageSubscriptionRecoveryPolicy "
    "timedSubscriptionRecoveryPolicy"
)

COLLECTIONS: dict[str, dict[str, Collection]] = {
    "authorizationMap": {
        "authorizationEntries": _many("authorizationEntry tempDestinationAuthorizationEntry"),
        "defaultEntry": _one("authorizationEntry tempDestinationAuthorizationEntry"),
        "tempDestinationAuthorizationEntry": _one("tempDestinationAuthorizationEntry"),
    },
    "authorizationPlugin": {"map": _one("authorizationMap")},
    "broker": {
        "destinationInterceptors": _many("mirroredQueue virtualDestinationInterceptor"),
        "destinationPolicy": _one("policyMap"),
        "destinations": _many(_DESTINATIONS),
        "networkConnectors": _many("networkConnector"),
        "persistenceAdapter": _one("kahaDB"),
        "plugins": _many(
            "authorizationPlugin discardingDLQBrokerPlugin forcePersistencyModeBrokerPlugin "
            "redeliveryPlugin statisticsBrokerPlugin timeStampingBrokerPlugin"
        ),
        "systemUsage": _one("systemUsage"),
        "transportConnectors": _many("transportConnector"),
    },
    "compositeQueue": {"forwardTo": _many(_FORWARDS)},
    "compositeTopic": {"forwardTo": _many(_FORWARDS)},
    # The schema, unlike the pages, also allows any element in connectionFilter, localUri,
    # objectName and uri.
    "networkConnector": {
        "durableDestinations": _many(_FORWARDS),
        "dynamicallyIncludedDestinations": _many(_FORWARDS),
        "excludedDestinations": _many(_FORWARDS),
        "staticallyIncludedDestinations": _many(_FORWARDS),
    },
    "policyEntry": {
        "deadLetterStrategy": _one(
            "discarding individualDeadLetterStrategy sharedDeadLetterStrategy"
        ),
        "destination": _one(_DESTINATIONS),
        "dispatchPolicy": _one(
            "clientIdFilterDispatchPolicy priorityDispatchPolicy "
            "priorityNetworkDispatchPolicy roundRobinDispatchPolicy simpleDispatchPolicy "
            "strictOrderDispatchPolicy"
        ),
        "messageEvictionStrategy": _one(
            "oldestMessageEvictionStrategy oldestMessageWithLowestPriorityEvictionStrategy "
            "uniquePropertyMessageEvictionStrategy"
        ),
        "messageGroupMapFactory": _one(
            "cachedMessageGroupMapFactory messageGroupHashBucketFactory "
            "simpleMessageGroupMapFactory"
        ),
        "networkBridgeFilterFactory": _one("conditionalNetworkBridgeFilterFactory"),
        "pendingDurableSubscriberPolicy": _one(
            "fileDurableSubscriberCursor storeDurableSubscriberCursor vmDurableCursor"
        ),
        "pendingMessageLimitStrategy": _one(
            "constantPendingMessageLimitStrategy prefetchRatePendingMessageLimitStrategy"
        ),
        "pendingQueuePolicy": _one("fileQueueCursor storeCursor vmQueueCursor"),
        "pendingSubscriberPolicy": _one("fileCursor vmCursor"),
        "slowConsumerStrategy": _one("abortSlowAckConsumerStrategy abortSlowConsumerStrategy"),
        "subscriptionRecoveryPolicy": _one(_RECOVERY),
    },
    "policyMap": {"defaultEntry": _one("policyEntry"), "policyEntries": _many("policyEntry")},
    "redeliveryPlugin": {"redeliveryPolicyMap": _one("redeliveryPolicyMap")},
    "redeliveryPolicyMap": {
        "defaultEntry": _one("redeliveryPolicy"),
        "redeliveryPolicyEntries": _many("redeliveryPolicy"),
    },
    "retainedMessageSubscriptionRecoveryPolicy": {"wrapped": _one(_RECOVERY)},
    "sharedDeadLetterStrategy": {"deadLetterQueue": _one(_DESTINATIONS)},
    "systemUsage": {"memoryUsage": _one("memoryUsage")},
    "virtualDestinationInterceptor": {
        "virtualDestinations": _many("compositeQueue compositeTopic virtualTopic")
    },
}

# The configuration of a broker created without one ("Auto-generated default"), without the examples
# in its comments (as recorded by moto, ``mq/configuration.py``, January 2022).
DEFAULT = f"""\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<broker xmlns="{NAMESPACE}" schedulePeriodForDestinationPurge="10000">
  <destinationPolicy>
    <policyMap>
      <policyEntries>
        <policyEntry topic="&gt;" gcInactiveDestinations="true" inactiveTimoutBeforeGC="600000">
          <pendingMessageLimitStrategy>
            <constantPendingMessageLimitStrategy limit="1000"/>
          </pendingMessageLimitStrategy>
        </policyEntry>
        <policyEntry queue="&gt;" gcInactiveDestinations="true" inactiveTimoutBeforeGC="600000"/>
      </policyEntries>
    </policyMap>
  </destinationPolicy>
  <plugins>
  </plugins>
</broker>
"""

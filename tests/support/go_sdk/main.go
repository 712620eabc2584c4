// Command life leads a broker's whole life in each of two Regions with the AWS SDK for Go.
//
// It reads the endpoint, its authority and the credentials from the environment, as every program
// on this SDK does, prints one line for each step, and ends with status 1 at the first surprise.
// "life sign" makes a few calls alone, for whoever verifies signatures.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const (
	patience = 4 * time.Minute
	password = "correct-horse-1"
)

var (
	ctx  = context.Background()
	data = map[types.EngineType]string{
		types.EngineTypeActivemq: `<broker xmlns="http://activemq.apache.org/schema/core" persistent="true"/>`,
		types.EngineTypeRabbitmq: "consumer_timeout = 900000\n",
	}
	versions  = map[types.EngineType]string{types.EngineTypeActivemq: "5.19", types.EngineTypeRabbitmq: "4.2"}
	instances = map[types.EngineType]string{
		types.EngineTypeActivemq: "mq.m5.large", types.EngineTypeRabbitmq: "mq.m7g.medium",
	}
)

// life is a broker with its key and configuration in one Region.
type life struct {
	region                     string
	engine                     types.EngineType
	mq                         *mq.Client
	kms                        *kms.Client
	trail                      *cloudtrail.Client
	sts                        *sts.Client
	key, configuration, broker string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "sign" {
		if err := sign(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	lives := []*life{
		start("eu-central-1", types.EngineTypeActivemq),
		start("us-west-2", types.EngineTypeRabbitmq),
	}
	steps := []struct {
		name string
		take func(*life)
	}{
		{"begins", (*life).begins},
		{"runs", (*life).runs},
		{"is changed", (*life).isChanged},
		{"has changed", (*life).hasChanged},
		{"loses its key for a while", (*life).losesItsKey},
	}
	for _, step := range steps {
		for _, l := range lives {
			step.take(l)
			fmt.Println(l.region, step.name)
		}
	}
	lives[0].isApartFrom(lives[1])
	lives[1].isApartFrom(lives[0])
	for _, l := range lives {
		l.ends()
		fmt.Println(l.region, "ends")
	}
}

func start(region string, engine types.EngineType) *life {
	settings := must(config.LoadDefaultConfig(ctx, config.WithRegion(region)))
	return &life{
		region: region,
		engine: engine,
		mq:     mq.NewFromConfig(settings),
		kms:    kms.NewFromConfig(settings),
		trail:  cloudtrail.NewFromConfig(settings),
		sts:    sts.NewFromConfig(settings),
	}
}

func (l *life) begins() {
	who := must(l.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))
	key := must(l.kms.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("orders")}))
	l.key = *key.KeyMetadata.Arn
	expect(strings.HasPrefix(l.key, "arn:aws:kms:"+l.region+":"+*who.Account+":key/"), "key", l.key)
	l.configuration = *must(l.mq.CreateConfiguration(ctx, &mq.CreateConfigurationInput{
		Name:          aws.String("orders-by-go"),
		EngineType:    l.engine,
		EngineVersion: aws.String(versions[l.engine]),
	})).Id
	l.broker = *must(l.mq.CreateBroker(ctx, &mq.CreateBrokerInput{
		BrokerName:              aws.String("orders-by-go"),
		EngineType:              l.engine,
		EngineVersion:           aws.String(versions[l.engine]),
		DeploymentMode:          types.DeploymentModeSingleInstance,
		HostInstanceType:        aws.String(instances[l.engine]),
		PubliclyAccessible:      aws.Bool(false),
		AutoMinorVersionUpgrade: aws.Bool(true),
		StorageType:             types.BrokerStorageTypeEbs,
		Configuration:           &types.ConfigurationId{Id: &l.configuration, Revision: aws.Int32(1)},
		EncryptionOptions:       &types.EncryptionOptions{UseAwsOwnedKey: aws.Bool(false), KmsKeyId: &l.key},
		Users:                   []types.User{{Username: aws.String("admin"), Password: aws.String(password)}},
	})).BrokerId
}

func (l *life) runs() {
	created := l.becomes(types.BrokerStateRunning, types.BrokerStateCreationInProgress)
	expect(*created.EncryptionOptions.KmsKeyId == l.key, "KmsKeyId", *created.EncryptionOptions.KmsKeyId)
	expect(created.Created != nil, "Created", created.Created)
}

func (l *life) isChanged() {
	updated := must(l.mq.UpdateConfiguration(ctx, &mq.UpdateConfigurationInput{
		ConfigurationId: &l.configuration,
		Data:            aws.String(base64.StdEncoding.EncodeToString([]byte(data[l.engine]))),
	}))
	must(l.mq.UpdateBroker(ctx, &mq.UpdateBrokerInput{
		BrokerId:      &l.broker,
		Configuration: &types.ConfigurationId{Id: &l.configuration, Revision: updated.LatestRevision.Revision},
	}))
	if l.engine == types.EngineTypeActivemq {
		must(l.mq.CreateUser(ctx, &mq.CreateUserInput{
			BrokerId: &l.broker, Username: aws.String("second"), Password: aws.String(password),
		}))
	}
	must(l.mq.RebootBroker(ctx, &mq.RebootBrokerInput{BrokerId: &l.broker}))
}

func (l *life) hasChanged() {
	rebooted := l.becomes(types.BrokerStateRunning, types.BrokerStateRebootInProgress)
	revision := *rebooted.Configurations.Current.Revision
	expect(revision == 2, "revision", revision)
	if l.engine == types.EngineTypeActivemq {
		expect(len(rebooted.Users) == 2, "users", rebooted.Users)
	}
}

func (l *life) losesItsKey() {
	must(l.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &l.key}))
	lost := l.becomes(types.BrokerStateCriticalActionRequired, types.BrokerStateRunning)
	code := *lost.ActionsRequired[0].ActionRequiredCode
	expect(strings.Contains(code, "INVALID_KMS_KEY"), "action", code)
	_, err := l.mq.RebootBroker(ctx, &mq.RebootBrokerInput{BrokerId: &l.broker})
	var refused *types.BadRequestException
	expect(errors.As(err, &refused), "reboot", err)
	must(l.kms.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &l.key}))
	l.becomes(types.BrokerStateRunning, types.BrokerStateCriticalActionRequired)
}

func (l *life) isApartFrom(other *life) {
	brokers := must(l.mq.ListBrokers(ctx, &mq.ListBrokersInput{})).BrokerSummaries
	has := func(id string) bool {
		return slices.ContainsFunc(brokers, func(b types.BrokerSummary) bool { return *b.BrokerId == id })
	}
	expect(has(l.broker) && !has(other.broker), "brokers", brokers)
	_, err := l.mq.DescribeBroker(ctx, &mq.DescribeBrokerInput{BrokerId: &other.broker})
	expect(code(err) == "NotFoundException", "the other Region's broker", err)
}

func (l *life) ends() {
	must(l.mq.DeleteBroker(ctx, &mq.DeleteBrokerInput{BrokerId: &l.broker}))
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		_, err := l.mq.DescribeBroker(ctx, &mq.DescribeBrokerInput{BrokerId: &l.broker})
		if code(err) == "NotFoundException" {
			break
		}
		expect(err == nil && time.Now().Before(end), "deletion", err)
	}
	must(l.mq.DeleteConfiguration(ctx, &mq.DeleteConfigurationInput{ConfigurationId: &l.configuration}))
	must(l.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{
		KeyId: &l.key, PendingWindowInDays: aws.Int32(7),
	}))
	for _, name := range []string{"CreateBroker", "RebootBroker", "DeleteBroker"} {
		events := must(l.trail.LookupEvents(ctx, &cloudtrail.LookupEventsInput{
			LookupAttributes: []trailtypes.LookupAttribute{{
				AttributeKey: trailtypes.LookupAttributeKeyEventName, AttributeValue: &name,
			}},
		})).Events
		about := func(event trailtypes.Event) bool { return strings.Contains(*event.CloudTrailEvent, l.broker) }
		expect(slices.ContainsFunc(events, about), "no record of", name)
	}
}

// becomes returns the broker once it has left a state.
func (l *life) becomes(state, leaving types.BrokerState) *mq.DescribeBrokerOutput {
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		broker := must(l.mq.DescribeBroker(ctx, &mq.DescribeBrokerInput{BrokerId: &l.broker}))
		if broker.BrokerState != leaving {
			expect(broker.BrokerState == state, "state", broker.BrokerState)
			return broker
		}
		expect(time.Now().Before(end), "still", leaving)
	}
}

func code(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	return ""
}

func must[T any](answer T, err error) T {
	expect(err == nil, "refused", err)
	return answer
}

func expect(holds bool, what string, seen any) {
	if !holds {
		fmt.Fprintln(os.Stderr, "life:", what, seen)
		os.Exit(1)
	}
}

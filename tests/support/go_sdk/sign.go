package main

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/mq"
	"github.com/aws/aws-sdk-go-v2/service/mq/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// sign calls with a query, with a path that has to be encoded, and with bodies of each protocol,
// and prints the outcome of each.
func sign() error {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := mq.NewFromConfig(settings)
	who, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Println("GetCallerIdentity", aws.ToString(who.Arn))
	_, err = client.DescribeBrokerInstanceOptions(ctx, &mq.DescribeBrokerInstanceOptionsInput{
		EngineType: aws.String("RABBITMQ"), HostInstanceType: aws.String("mq.m5.large"),
	})
	fmt.Println("DescribeBrokerInstanceOptions", err)
	_, err = client.ListTags(ctx, &mq.ListTagsInput{
		ResourceArn: aws.String("arn:aws:mq:us-east-1:000000000000:broker:a b:b-1~*"),
	})
	fmt.Println("ListTags", err)
	_, err = client.CreateConfiguration(ctx, &mq.CreateConfigurationInput{
		Name: aws.String("go"), EngineType: types.EngineTypeActivemq, EngineVersion: aws.String("5.19"),
	})
	fmt.Println("CreateConfiguration", err)
	_, err = cloudtrail.NewFromConfig(settings).LookupEvents(ctx, nil)
	fmt.Println("LookupEvents", err)
	return nil
}

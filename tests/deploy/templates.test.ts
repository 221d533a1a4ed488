/** What matters in the packaged templates, for both kinds of encoder: nothing open, nothing unbounded, nothing that never sleeps. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

interface Resource {
  Type: string
  // biome-ignore lint/suspicious/noExplicitAny: as many shapes as there are types
  Properties: Record<string, any>
  DeletionPolicy?: string
}
interface Statement {
  Effect: string
  Action: string | string[]
  Resource: unknown
  Principal?: unknown
  Condition?: unknown
}

const dir = process.env.ONEPEACE_TEMPLATES
if (!dir) console.warn('SKIPPED: ONEPEACE_TEMPLATES names no packaged templates; deploy/check.sh makes them.')

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value])

describe.skipIf(!dir).each(['cpu', 'gpu'])('encoder=%s', (encoder) => {
  const file = join(dir ?? '', encoder, 'cloudformation-template-update-stack.json')
  const resources: Record<string, Resource> = dir ? JSON.parse(readFileSync(file, 'utf8')).Resources : {}
  const of = (type: string) => Object.entries(resources).filter(([, resource]) => resource.Type === type)
  const one = (name: string) => resources[name]!.Properties

  const policies: [string, Statement][] = [
    ...of('AWS::IAM::Role').flatMap(([name, { Properties }]) => [
      ...(Properties.Policies ?? []).map((policy: { PolicyDocument: unknown }) => [name, policy.PolicyDocument]),
      [`who may be ${name}`, Properties.AssumeRolePolicyDocument],
    ]),
    ...of('AWS::IAM::Policy').map(([name, { Properties }]) => [name, Properties.PolicyDocument]),
    ...of('AWS::IAM::ManagedPolicy').map(([name, { Properties }]) => [name, Properties.PolicyDocument]),
  ].flatMap(([name, document]) => list(document.Statement).map((statement): [string, Statement] => [name, statement]))

  it('has no bucket that the public may read, each encrypted, kept when the stack goes, and talked to over TLS alone', () => {
    const buckets = of('AWS::S3::Bucket').filter(([name]) => name !== 'ServerlessDeploymentBucket')
    expect(buckets.map(([name]) => name)).toEqual(['MediaBucket'])
    for (const [name, { Properties, DeletionPolicy }] of buckets) {
      expect(Object.values(Properties.PublicAccessBlockConfiguration), name).toEqual([true, true, true, true])
      expect(Properties.BucketEncryption.ServerSideEncryptionConfiguration).toHaveLength(1)
      expect(Properties.OwnershipControls.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
      expect(Properties).not.toHaveProperty('AccessControl')
      expect(DeletionPolicy).toBe('Retain')
    }
    const statements = [...of('AWS::S3::BucketPolicy'), ...of('AWS::SQS::QueuePolicy')].flatMap(
      ([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[],
    )
    expect(statements.filter(({ Effect }) => Effect === 'Allow').filter(({ Principal }) => Principal === '*')).toEqual(
      [],
    )
    const tls = { Bool: { 'aws:SecureTransport': 'false' } }
    expect(
      statements.filter(
        ({ Effect, Condition }) => Effect === 'Deny' && JSON.stringify(Condition) === JSON.stringify(tls),
      ).length,
    ).toBeGreaterThanOrEqual(2)
  })

  it('removes abandoned uploads and what was broken off', () => {
    const rules = one('MediaBucket').LifecycleConfiguration.Rules as Record<string, unknown>[]
    expect(rules).toContainEqual(
      expect.objectContaining({ Prefix: 'onepeace/uploads/', ExpirationInDays: 2, Status: 'Enabled' }),
    )
    expect(rules).toContainEqual(
      expect.objectContaining({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }),
    )
    const expiring = rules.filter((rule) => 'ExpirationInDays' in rule)
    expect(expiring.map(({ Prefix }) => Prefix)).toEqual(['onepeace/uploads/'])
  })

  it('encrypts the queue, and parks what fails again and again', () => {
    for (const [name, { Properties }] of of('AWS::SQS::Queue')) expect(Properties.SqsManagedSseEnabled, name).toBe(true)
    expect(one('JobQueue').RedrivePolicy).toEqual({
      deadLetterTargetArn: { 'Fn::GetAtt': ['ParkedQueue', 'Arn'] },
      maxReceiveCount: 25,
    })
    expect(one('ParkedQueue').MessageRetentionPeriod).toBe(14 * 24 * 3600)
  })

  it('lets nobody do everything, and names what each may touch', () => {
    expect(policies.length).toBeGreaterThan(8)
    for (const [name, { Effect, Action, Resource, Principal }] of policies) {
      expect(Effect, name).toBe('Allow')
      for (const action of list(Action)) expect(action, name).toMatch(/^[a-z0-9]+:[A-Za-z]+$/)
      const any = list(Resource).includes('*')
      if (any) expect(list(Action), name).toEqual(['ecr:GetAuthorizationToken'])
      if (Principal !== undefined) expect(JSON.stringify(Principal), name).not.toContain('"*"')
    }
    const managed = of('AWS::IAM::Role').flatMap(([, { Properties }]) => Properties.ManagedPolicyArns ?? [])
    expect(JSON.stringify(managed)).not.toMatch(/AdministratorAccess|FullAccess|PowerUser/)
  })

  it('gives each function a role, a time and a log of its own, and a Lambda function of an image no more than Lambda allows', () => {
    const functions = of('AWS::Lambda::Function')
    const expected = [
      'ApiLambdaFunction',
      'ApiStreamLambdaFunction',
      ...(encoder === 'cpu' ? ['EncoderLambdaFunction'] : []),
    ]
    expect(functions.map(([name]) => name).sort()).toEqual(expected)
    for (const [name, { Properties }] of functions) {
      expect(Properties.PackageType, name).toBe('Image')
      expect(Properties.Code.ImageUri).toMatch(/@sha256:[0-9a-f]{64}$/)
      expect(Properties.Role).toEqual({ 'Fn::GetAtt': [expect.stringMatching(/^(Api|Encoder)Role$/), 'Arn'] })
      expect(Properties.MemorySize).toBeLessThanOrEqual(10_240)
    }
    expect(one('ApiLambdaFunction').Timeout).toBe(29)
    expect(one('ApiStreamLambdaFunction').Timeout).toBe(600)
  })

  it('keeps no log for ever', () => {
    const groups = of('AWS::Logs::LogGroup')
    expect(groups.length).toBeGreaterThanOrEqual(4)
    for (const [name, { Properties }] of groups) expect(Properties.RetentionInDays, name).toBe(30)
  })

  it('keeps secrets out of the template', () => {
    const variables = one('ApiLambdaFunction').Environment.Variables
    for (const name of ['QDRANT_API_KEY', 'ONEPEACE_KEYS', 'ENCODER_SECRET']) {
      expect(JSON.stringify(variables[name]), name).toContain('{{resolve:secretsmanager:')
    }
    for (const [, { Properties }] of of('AWS::ECS::TaskDefinition')) {
      for (const { Environment, Secrets } of Properties.ContainerDefinitions) {
        expect(Environment.map(({ Name }: { Name: string }) => Name)).not.toContain('ENCODER_SECRET')
        expect(Secrets.map(({ Name }: { Name: string }) => Name)).toContain('ENCODER_SECRET')
      }
    }
  })

  it('takes requests of an HTTP API as payload 2.0, at a bounded rate, and streams at the address beside it', () => {
    expect(one('HttpApiIntegrationApi').PayloadFormatVersion).toBe('2.0')
    expect(one('HttpApiStage').DefaultRouteSettings.ThrottlingRateLimit).toBe(100)
    expect(one('ApiStreamLambdaFunctionUrl')).toMatchObject({ AuthType: 'NONE', InvokeMode: 'RESPONSE_STREAM' })
    const variables = one('ApiStreamLambdaFunction').Environment.Variables
    expect(variables).not.toHaveProperty('ONEPEACE_NO_AUTH') // open to call, so that keys are asked for
  })

  it('scales every service from and to nothing, up to a bound, by work that is there', () => {
    const targets = of('AWS::ApplicationAutoScaling::ScalableTarget')
    expect(targets.map(([name]) => name).sort()).toEqual(
      encoder === 'cpu' ? ['WorkerCount'] : ['EncoderCount', 'WorkerCount'],
    )
    for (const [name, { Properties }] of targets) {
      expect([Properties.MinCapacity, Properties.MaxCapacity], name).toEqual([0, 4])
    }
    for (const [name, { Properties }] of of('AWS::ECS::Service')) expect(Properties.DesiredCount, name).toBe(0)
    for (const [, { Properties }] of of('AWS::ApplicationAutoScaling::ScalingPolicy')) {
      const { AdjustmentType, StepAdjustments } = Properties.StepScalingPolicyConfiguration
      expect(AdjustmentType).toBe('ExactCapacity')
      expect(StepAdjustments.length).toBeGreaterThan(0)
    }
    expect(of('AWS::AutoScaling::AutoScalingGroup').map(([, { Properties }]) => Properties.MinSize)).toEqual(
      encoder === 'gpu' ? ['0'] : [],
    )
  })

  it('runs tasks on read-only file systems, as no machine that others may call', () => {
    for (const [name, { Properties }] of of('AWS::ECS::TaskDefinition')) {
      for (const container of Properties.ContainerDefinitions) expect(container.ReadonlyRootFilesystem, name).toBe(true)
    }
    for (const [name, { Properties }] of of('AWS::EC2::SecurityGroup')) {
      for (const rule of Properties.SecurityGroupIngress ?? []) {
        expect(rule, name).not.toHaveProperty('CidrIp')
        expect(rule.SourceSecurityGroupId, name).toBeDefined()
      }
    }
  })

  it('tells somebody when jobs are parked or late, and when the service fails', () => {
    const told = of('AWS::CloudWatch::Alarm').filter(([, { Properties }]) =>
      JSON.stringify(Properties.AlarmActions).includes('Alarms'),
    )
    const names = told.map(([name]) => name)
    expect(names).toEqual(
      expect.arrayContaining(['JobsParked', 'JobsLate', 'ServiceFails', 'ServiceThrottled', 'ServiceSlow']),
    )
  })

  if (encoder === 'cpu') {
    it('lets the API and the workers alone call the encoder, and bounds how many run', () => {
      expect(one('EncoderLambdaFunctionUrl')).toMatchObject({ AuthType: 'AWS_IAM', InvokeMode: 'RESPONSE_STREAM' })
      const callers = of('AWS::IAM::Policy').find(([name]) => name === 'CallEncoder')![1].Properties
      expect(callers.Roles).toEqual([{ Ref: 'ApiRole' }, { Ref: 'WorkerRole' }])
      const permissions = of('AWS::Lambda::Permission').filter(([, { Properties }]) =>
        JSON.stringify(Properties.FunctionName).includes('Encoder'),
      )
      expect(permissions).toEqual([])
      expect(one('EncoderLambdaFunction').ReservedConcurrentExecutions).toBe(4)
      expect(one('ApiLambdaFunction').Environment.Variables).toMatchObject({
        ENCODER_URL: { 'Fn::GetAtt': ['EncoderLambdaFunctionUrl', 'FunctionUrl'] },
        ENCODER_WAKE_S: '0',
      })
    })

    it('pays for nothing that runs while nobody asks', () => {
      for (const type of ['AWS::EC2::NatGateway', 'AWS::EC2::Instance', 'AWS::ElasticLoadBalancingV2::LoadBalancer']) {
        expect(of(type), type).toEqual([])
      }
    })
  } else {
    it('wakes an encoder by requests that need one and by parts of jobs, and tells the API how long that takes', () => {
      const { Metrics, AlarmActions } = one('EncoderWanted')
      expect(AlarmActions).toEqual([{ Ref: 'EncodersToWork' }])
      expect(Metrics[0].Expression).toMatch(/FILL\(requests, 0\).*FILL\(waiting, 0\) \+ FILL\(held, 0\)/)
      expect(one('Wanted')).toMatchObject({
        LogGroupName: { Ref: 'ApiLogGroup' },
        FilterPattern: expect.stringContaining('encoder-starting'),
      })
      expect(one('ApiLambdaFunction').Environment.Variables).toMatchObject({
        ENCODER_WAKE_S: '300',
        ONEPEACE_LOG_LEVEL: 'info',
      })
      expect(one('NoEncoderWanted')).toMatchObject({ EvaluationPeriods: 15, AlarmActions: [{ Ref: 'EncodersToNone' }] })
    })

    it('gives each encoder a GPU, on instances of encrypted disks whose metadata needs a token', () => {
      const [container] = one('EncoderTask').ContainerDefinitions
      expect(container.ResourceRequirements).toEqual([{ Type: 'GPU', Value: '1' }])
      expect(container.Environment).toContainEqual({ Name: 'ONEPEACE_DEVICE', Value: 'cuda' })
      const { MetadataOptions, BlockDeviceMappings } = one('InstanceTemplate').LaunchTemplateData
      expect(MetadataOptions.HttpTokens).toBe('required')
      for (const { Ebs } of BlockDeviceMappings) expect(Ebs.Encrypted).toBe(true)
    })

    it('has the functions in the VPC with the encoders', () => {
      expect(one('ApiLambdaFunction').VpcConfig.SubnetIds).toHaveLength(2)
    })
  }
})

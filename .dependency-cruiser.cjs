// The house's rules of direction (docs/architecture.md), enforced: `npm run lint`.
const SERVER_ROOMS = 'media|preprocess|encoder|vectors'
const CONVERTER_ROOMS = 'checkpoint|model|onnx'

/** Only `home` may import the package `name`; its types may be named elsewhere. */
const onlyIn = (name, home) => ({
  name: `one-file-imports-${name.replace(/[@/]/g, '')}`,
  severity: 'error',
  from: { pathNot: home },
  to: { path: `node_modules/${name}/`, dependencyTypesNot: ['type-only'] },
})

/** The room imports nothing of src/ beyond itself but what `others` says, in `^src/(…)`. */
const knowsOnly = (room, name, others) => ({
  name,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${room}/${others ? `|${others}` : ''})` },
})

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '\\.d\\.ts$|src/main\\.ts$|(session|decode|prepare)-worker\\.ts$' },
      to: {},
    },
    {
      name: 'siblings-do-not-import-each-other',
      severity: 'error',
      from: { path: `^src/(${SERVER_ROOMS})/` },
      to: {
        path: '^src/',
        pathNot: [
          '^src/$1/',
          '^src/(deadline|errors|gate|gathering|modality|processor|room|serial)\\.ts$',
          '^src/bundle/',
        ],
      },
    },
    {
      name: 'converter-never-imports-the-server',
      severity: 'error',
      from: { path: `^src/(${CONVERTER_ROOMS})/` },
      to: { path: `^src/(http|services|commands|${SERVER_ROOMS})/` },
    },
    {
      name: 'server-never-imports-the-converter',
      severity: 'error',
      from: { path: `^src/(http|services|${SERVER_ROOMS})/` },
      to: { path: `^src/(${CONVERTER_ROOMS}|commands)/` },
    },
    {
      name: 'onnx-knows-nothing-of-one-peace',
      severity: 'error',
      from: { path: '^src/onnx/' },
      to: { path: '^src/(model|checkpoint|bundle)/' },
    },
    {
      name: 'http-reaches-down-only-through-services',
      severity: 'error',
      from: { path: '^src/http/' },
      to: { path: `^src/(${SERVER_ROOMS}|eval)/` },
    },
    {
      name: 'services-know-nothing-of-http',
      severity: 'error',
      from: { path: '^src/services/' },
      to: { path: '^src/(http|commands)/' },
    },
    knowsOnly('mcp', 'mcp-is-a-client-and-knows-nothing-of-the-server'),
    knowsOnly('transfer', 'transfer-is-a-client-and-knows-nothing-of-the-server', 'chunks\\.ts$'),
    knowsOnly('lambda', 'lambda-takes-events-and-knows-nothing-of-the-service', 'http/problems\\.ts$'),
    knowsOnly('queue', 'queue-knows-nothing-of-jobs', 'errors\\.ts$|durable\\.ts$|serial\\.ts$'),
    knowsOnly('terminal', 'terminal-knows-nothing-of-onepeace'),
    {
      name: 'only-the-composition-root-reads-the-config',
      severity: 'error',
      from: { path: '^src/(http|services)/' },
      to: { path: '^src/config\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    onlyIn('onnxruntime-node', '^src/encoder/onnx-session\\.ts$'),
    onlyIn('@lancedb', '^src/vectors/lancedb\\.ts$'),
    onlyIn('@qdrant', '^src/vectors/qdrant-server\\.ts$'),
    onlyIn('@aws-sdk/client-s3', '^src/objects/s3-objects\\.ts$'),
    onlyIn('@aws-sdk/s3-request-presigner', '^src/objects/s3-objects\\.ts$'),
    knowsOnly('objects', 'objects-know-not-what-they-are', '(durable|errors|media-location)\\.ts$'),
    onlyIn('prom-client', '^src/http/metrics\\.ts$'),
    onlyIn('bullmq', '^src/queue/redis-queue\\.ts$'),
    onlyIn('@aws-sdk/client-sqs', '^src/queue/sqs-queue\\.ts$'),
    onlyIn('undici', '^src/encoder/remote/replica\\.ts$'),
    onlyIn('@smithy', '^src/encoder/remote/lambda-signer\\.ts$'),
    onlyIn('@aws-sdk/credential-provider-node', '^src/encoder/remote/lambda-signer\\.ts$'),
    onlyIn('@modelcontextprotocol', '^src/mcp/'),
    onlyIn('sharp', '^src/media/image\\.ts$'),
    onlyIn('@opentelemetry', '^src/telemetry/'),
    knowsOnly('telemetry', 'telemetry-knows-none-of-the-rooms'),
    {
      name: 'no-dev-packages-in-src',
      severity: 'error',
      from: { path: '^src' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
  },
}

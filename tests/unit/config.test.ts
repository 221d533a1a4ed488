import { expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'

it('prefers flags to variables, and variables to defaults', () => {
  const env = { ONEPEACE_PORT: '9000', ONEPEACE_HOST: '0.0.0.0', ONEPEACE_MAX_INPUTS: '7' }
  expect(loadConfig({ port: '1' }, env)).toMatchObject({ port: 1, host: '0.0.0.0', dataDir: './data', noAuth: false })
  expect(loadConfig({ auth: false }, env)).toMatchObject({ port: 9000, noAuth: true, limits: { maxInputs: 7 } })
  expect(loadConfig({}, {}).modelDir).toMatch(/models.onepeace-nano$/)
  expect(loadConfig({}, {}).rateLimit).toBeUndefined()
  expect(loadConfig({}, { ONEPEACE_RATE_LIMIT: '0' }).rateLimit).toBe(0)
  expect(Object.isFrozen(loadConfig({}, {}))).toBe(true)
})

it('says everything that is wrong', () => {
  const env = {
    ONEPEACE_PORT: 'x',
    ONEPEACE_MAX_TEXTS: '0',
    ONEPEACE_LOG_LEVEL: 'loud',
    ONEPEACE_NO_AUTH: 'maybe',
    ONEPEACE_RATE_LIMIT: '-1',
  }
  const message = () => loadConfig({}, env)
  for (const part of [
    'The port',
    'ONEPEACE_MAX_TEXTS',
    'ONEPEACE_LOG_LEVEL',
    'ONEPEACE_NO_AUTH',
    'ONEPEACE_RATE_LIMIT',
  ])
    expect(message).toThrow(part)
})

it('takes the address of a Qdrant server, and does not repeat a wrong one, which may hold a password', () => {
  expect(loadConfig({}, {})).toMatchObject({ qdrantUrl: undefined, qdrantApiKey: undefined })
  expect(loadConfig({}, { QDRANT_URL: '', QDRANT_API_KEY: '' }).qdrantUrl).toBeUndefined()
  const config = loadConfig({}, { QDRANT_URL: 'https://q.example/path', QDRANT_API_KEY: 'k' })
  expect(config).toMatchObject({ qdrantUrl: 'https://q.example/path', qdrantApiKey: 'k' })
  expect(config.qdrantQuantization).toBe('none')
  expect(loadConfig({}, { QDRANT_QUANTIZATION: 'scalar' }).qdrantQuantization).toBe('scalar')
  expect(() => loadConfig({}, { QDRANT_QUANTIZATION: 'half' })).toThrow('none or scalar or binary')
  for (const wrong of [
    'q.example:6333',
    'ftp://q.example',
    'http://user:secret@q.example',
    'http://q.example/?a=secret',
  ]) {
    const read = () => loadConfig({}, { QDRANT_URL: wrong })
    expect(read).toThrow('QDRANT_URL')
    expect(read).not.toThrow('secret')
  }
})

it('takes a place for the files of several services: a bucket or a folder', () => {
  const of = (MEDIA_URL: string, env = {}) => loadConfig({}, { MEDIA_URL, ...env }).media
  expect(of('')).toBeUndefined()
  expect(of('file:///mnt/media')).toEqual({ kind: 'folder', dir: '/mnt/media' })
  const bucket = {
    kind: 's3',
    bucket: 'photos-2026',
    prefix: '',
    endpoint: undefined,
    region: undefined,
    pathStyle: false,
  }
  expect(of('s3://photos-2026')).toEqual(bucket)
  expect(of('s3://photos-2026/some/prefix/?region=eu-central-1')).toEqual({
    ...bucket,
    prefix: 'some/prefix',
    region: 'eu-central-1',
  })
  const endpoint = 'http://127.0.0.1:9000'
  const other = { ...bucket, endpoint, pathStyle: true, region: 'us-east-1' }
  expect(of(`s3://photos-2026?endpoint=${endpoint}`)).toEqual(other)
  expect(of(`s3://photos-2026?endpoint=${endpoint}`, { AWS_REGION: 'here' })).toEqual({ ...other, region: 'here' })
  expect(of(`s3://photos-2026?endpoint=${endpoint}&path_style=0`)).toEqual({ ...other, pathStyle: false })
  for (const wrong of [
    '/mnt/media',
    'file://host/media',
    'https://bucket.s3.amazonaws.com',
    's3://Big_Bucket',
    's3://user:secret@bucket',
    's3://bucket/.hidden',
    's3://bucket?endpoint=127.0.0.1',
    's3://bucket?secret=1',
  ]) {
    expect(() => of(wrong), wrong).toThrow('MEDIA_URL')
    expect(() => of(wrong)).not.toThrow('secret')
  }
})

it('takes keys as text or as a file, not both', () => {
  expect(loadConfig({}, {}).keys).toBeUndefined()
  expect(loadConfig({}, { ONEPEACE_KEYS: '{}' }).keys).toEqual({ text: '{}' })
  expect(loadConfig({}, { ONEPEACE_KEYS_FILE: '/run/keys' }).keys).toEqual({ file: '/run/keys' })
  expect(() => loadConfig({}, { ONEPEACE_KEYS: '{}', ONEPEACE_KEYS_FILE: '/run/keys' })).toThrow('Only one of')
})

it('takes proxies as addresses and networks, and nothing else', () => {
  const of = (text: string) => loadConfig({}, { ONEPEACE_TRUSTED_PROXIES: text }).trustedProxies
  expect(of('')).toEqual([])
  expect(of('10.0.0.0/8, 127.0.0.1,fd00::/8')).toEqual(['10.0.0.0/8', '127.0.0.1', 'fd00::/8'])
  for (const wrong of ['true', '10.0.0.0/33', '10.0.0.0/8/8', 'proxy.local', '1'])
    expect(() => of(wrong), wrong).toThrow('ONEPEACE_TRUSTED_PROXIES')
})

it('takes how the model runs, and leaves to the machine what is not said', () => {
  expect(loadConfig({}, {}).engine).toEqual({
    workers: undefined,
    threads: undefined,
    preload: ['text', 'image', 'audio'],
    prepack: undefined,
    maxWaitMs: 0,
    maxBatchPositions: undefined,
  })
  const env = { ONEPEACE_WORKERS: '2', ONEPEACE_THREADS: '3', ONEPEACE_PREPACK: '0', ONEPEACE_BATCH_WAIT_MS: '5' }
  expect(loadConfig({}, env).engine).toMatchObject({ workers: 2, threads: 3, prepack: false, maxWaitMs: 5 })
  const preload = (text: string) => loadConfig({}, { ONEPEACE_PRELOAD: text }).engine.preload
  expect(preload('none')).toEqual([])
  expect(preload('image, text')).toEqual(['text', 'image'])
  expect(() => preload('pictures')).toThrow('ONEPEACE_PRELOAD')
  expect(() => loadConfig({}, { ONEPEACE_THREADS: '0' })).toThrow('ONEPEACE_THREADS')
})

/**
 * `serve` and `encoder` as Lambda functions: they notice where they are, listen on loopback as anywhere else, and take Lambda's
 * events. Whoever calls comes from the internet, so keys are asked for as on any address that is not loopback.
 */
import type { Config } from '../config.ts'
import { LambdaRuntime } from '../lambda/runtime.ts'
import type { Place } from './listening.ts'

interface Places {
  /** For whom the service is to take its callers. */
  callers: { host: string; trustedProxies: readonly string[] }
  listening: Place
}

/** Where a service listens, and for which kind of address it must be safe: elsewhere than on Lambda, the same. */
export function placesOf({ host, port, trustedProxies, lambdaRuntimeApi }: Config): Places {
  if (lambdaRuntimeApi === undefined) return { callers: { host, trustedProxies }, listening: { host, port } }
  return {
    callers: { host: '0.0.0.0', trustedProxies: ['127.0.0.1'] },
    listening: { host: '127.0.0.1', port: 0 },
  }
}

/** Takes events until the process ends. An end of Lambda's interface, or of the service, is the end of the process. */
export function takeEvents(runtimeApi: string, port: number): void {
  new LambdaRuntime(runtimeApi, port).run().catch((error: unknown) => {
    console.error('onepeace: no more events can be taken.', error)
    process.exit(1)
  })
}

/**
 * Who calls, and whether they may: `request.caller`. In: `authorization: Bearer KEY` and the scope that the contract states
 * for the operation. Operations without a scope (health, the contract) are open; so is everything where no key was ever made
 * and only this machine can call, or where the service was told `--no-auth`.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { KeyRing } from '../../auth/key-ring.ts'
import { DEFAULT_TENANT, type Scope } from '../../auth/keys.ts'
import { HttpProblem } from '../problems.ts'
import { isLoopback } from './loopback-guard.ts'

export interface Caller {
  /** Whose collections are met. */
  tenant: string
  /** Id of the key; undefined where none is asked for. */
  keyId?: string
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
  interface FastifyContextConfig {
    /** The scope the contract states for the operation of this route, if any. */
    scope?: Scope | undefined
  }
}

const ANYONE: Caller = { tenant: DEFAULT_TENANT }

/** @param keys undefined to ask nobody for a key (`--no-auth`) */
export function registerAuthentication(app: FastifyInstance, host: string, keys: KeyRing | undefined): void {
  // biome-ignore lint/suspicious/noExplicitAny: a decorator must be declared before it has a value
  app.decorateRequest('caller', null as any)
  app.addHook('onRequest', async (request) => {
    request.caller = ANYONE
    const { scope } = request.routeOptions.config
    if (scope === undefined || keys === undefined) return
    if (isLoopback(host) && !(await keys.hasKeys())) return
    request.caller = await callerOf(request, keys, scope)
  })
}

/** @throws HttpProblem `unauthenticated` without a valid key, `forbidden` naming the scope that a valid one lacks */
async function callerOf(request: FastifyRequest, keys: KeyRing, scope: Scope): Promise<Caller> {
  const given = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  const key = await keys.find(given ?? '')
  if (key === undefined) throw unauthenticated(given !== undefined)
  if (!key.scopes.includes(scope)) {
    const message = `The key lacks the scope '${scope}'; use one made with \`onepeace keys create --scopes ${scope}\`.`
    throw new HttpProblem('forbidden', message)
  }
  return { tenant: key.tenant, keyId: key.id }
}

function unauthenticated(wasGiven: boolean): HttpProblem {
  const message = wasGiven
    ? 'The key is not one of this service, or was revoked; make another with `onepeace keys create`.'
    : 'Send a key as `Authorization: Bearer KEY`; `onepeace keys create` makes one.'
  return new HttpProblem('unauthenticated', message, { headers: { 'www-authenticate': 'Bearer' } })
}

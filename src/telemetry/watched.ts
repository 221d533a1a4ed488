/** A port whose calls are seen from outside, so that the rooms themselves need not know of metrics and traces. */
import { type Stage, stage } from './request-trace.ts'

/** Makes the call that it is given, and may do something before and after. */
export type Around = <T>(operation: string, call: () => Promise<T>) => Promise<T>

/** @param methods those watched, each returning a promise; every method, those that come later too, if absent */
export function watched<P extends object>(port: P, around: Around, methods?: readonly (keyof P)[]): P {
  return new Proxy(port, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown
      if (typeof member !== 'function' || typeof name === 'symbol') return member
      const call = (...parameters: unknown[]) => member.apply(target, parameters)
      return methods === undefined || methods.includes(name as keyof P)
        ? (...parameters: unknown[]) => around(name, async () => call(...parameters))
        : call
    },
  })
}

/** A port whose calls are a stage of the request they are made for. */
export function staged<P extends object>(port: P, name: Stage, methods: readonly (keyof P)[]): P {
  return watched(port, (_operation, call) => stage(name, call), methods)
}

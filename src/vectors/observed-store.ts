/** A store whose calls are timed: every method of the port, those that come later too. */
import type { VectorStore } from './store.ts'

/** @param called is told the method and how long it took, in ms, whether it succeeded or not */
export function observedStore(store: VectorStore, called: (operation: string, tookMs: number) => void): VectorStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown
      if (typeof member !== 'function' || typeof name === 'symbol') return member
      return async (...parameters: unknown[]) => {
        const began = performance.now()
        try {
          return await member.apply(target, parameters)
        } finally {
          called(name, performance.now() - began)
        }
      }
    },
  })
}

/** The part of the address after `#`: which view, of which collection, with which words. The service never sees it. */
import { useEffect, useState } from 'preact/hooks'

export const VIEWS = ['search', 'look', 'add', 'map'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  collection?: string
  words?: string
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const params = new URLSearchParams(query)
  const collection = params.get('in')
  const words = params.get('q')
  return {
    view: VIEWS.find((view) => view === path) ?? 'search',
    ...(collection && { collection }),
    ...(words && { words }),
  }
}

export function hashOf({ view, collection, words }: Route): string {
  const params = new URLSearchParams({ ...(collection && { in: collection }), ...(words && { q: words }) })
  return `#/${view}${params.size > 0 ? `?${params}` : ''}`
}

export function useRoute(): [Route, (route: Route) => void] {
  const [route, setRoute] = useState(parseRoute(location.hash))
  useEffect(() => {
    const read = () => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])
  return [
    route,
    (next) => {
      history.replaceState(null, '', hashOf(next))
      setRoute(next)
    },
  ]
}

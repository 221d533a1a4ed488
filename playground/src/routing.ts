/** The route of the address, and how to change it without a step in the history. */
import { useEffect, useState } from 'preact/hooks'
import { hashOf, parseRoute, type Route } from './logic/route.ts'

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

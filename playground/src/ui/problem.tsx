/** What went wrong, in the service's own words. */
import type { ProblemError } from '../api/client.ts'

export function ProblemNote({ error }: { error: ProblemError }) {
  const { title, detail, errors = [], request_id: id, code } = error.problem
  return (
    <div class="problem" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      {errors.length > 0 && (
        <ul>
          {errors.map(({ pointer, detail: finding }) => (
            <li key={`${pointer} ${finding}`}>
              {pointer && <code>{pointer}</code>} {finding}
            </li>
          ))}
        </ul>
      )}
      {code && (
        <small>
          {error.status} {code} · request {id}
        </small>
      )}
    </div>
  )
}

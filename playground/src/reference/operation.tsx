/** One operation: what it does, what it takes, what it answers, how to call it. */
import type { ApiCall } from '../api/call.ts'
import { snippet } from '../logic/snippets.ts'
import { Code } from '../ui/code.tsx'
import { type Contract, type Described, type Parameter, resolved } from './contract.ts'
import { Prose } from './prose.tsx'
import { Field, SchemaFields } from './schema.tsx'

export function OperationSection({ contract, described }: { contract: Contract; described: Described }) {
  const { method, path, operation } = described
  const { operationId, summary, description, parameters = [], security = [], requestBody, responses } = operation
  const scope = security.flatMap(({ bearer = [] }) => bearer)[0]
  const whole = parameters.map((parameter) => resolved(contract, parameter))
  return (
    <article id={operationId} class="panel operation">
      <h3>
        <span class="method" data-method={method}>
          {method}
        </span>{' '}
        <code>{path}</code>
      </h3>
      <p class="summary">{summary}</p>
      <Prose text={description} />
      {scope && (
        <p class="small muted">
          A key needs the scope <code>{scope}</code>.
        </p>
      )}
      {whole.length > 0 && <Parameters contract={contract} parameters={whole} />}
      {Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => (
        <section key={type}>
          <h4>
            Body <code>{type}</code>
          </h4>
          <SchemaFields contract={contract} schema={schema} />
        </section>
      ))}
      <Answers contract={contract} responses={responses} />
      <Examples described={described} />
    </article>
  )
}

function Parameters({ contract, parameters }: { contract: Contract; parameters: Parameter[] }) {
  return (
    <section>
      <h4>Parameters</h4>
      <ul class="fields">
        {parameters.map(({ name, in: place, required = false, description, schema }) => (
          <Field
            key={name}
            contract={contract}
            name={`${name} (${place})`}
            schema={{ ...resolved(contract, schema), ...(description && { description }) }}
            isRequired={required}
          />
        ))}
      </ul>
    </section>
  )
}

function Answers({ contract, responses }: { contract: Contract; responses: Described['operation']['responses'] }) {
  const all = Object.entries(responses).map(([status, response]) => [status, resolved(contract, response)] as const)
  const good = all.filter(([status]) => status < '400')
  const problems = all.filter(([status]) => status >= '400')
  return (
    <section>
      <h4>Answers</h4>
      {good.map(([status, { description = '', content = {} }]) => (
        <div key={status}>
          <p>
            <code class="status">{status}</code> {description}{' '}
            <span class="small muted">{Object.keys(content).join(', ')}</span>
          </p>
          {Object.values(content).map(({ schema }) => (
            <SchemaFields key={status} contract={contract} schema={schema} />
          ))}
        </div>
      ))}
      <details>
        <summary>{problems.length} problems</summary>
        <ul class="fields">
          {problems.map(([status, { description = '' }]) => (
            <li key={status}>
              <code class="status">{status}</code> <Prose text={description} />
            </li>
          ))}
        </ul>
      </details>
    </section>
  )
}

function Examples({ described: { method, path, operation } }: { described: Described }) {
  const examples = Object.entries(operation.requestBody?.content['application/json']?.examples ?? {})
  if (examples.length === 0) return null
  const address = path.replace('{collection}', 'samples').replace('{id}', 'note-1')
  return (
    <section>
      <h4>Examples</h4>
      {examples.map(([name, { value }]) => {
        const call = { method: method as ApiCall['method'], path: address, json: value }
        const text = snippet('curl', call, { origin: location.origin, withKey: false })
        return <Code key={name} text={text} label={`Example: ${name}`} />
      })}
    </section>
  )
}

/** The contract as a page: what the service says of itself at /openapi.json, for people. */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type ProblemError, send } from '../api/client.ts'
import { ProblemNote } from '../ui/problem.tsx'
import { type Contract, operationsOf } from './contract.ts'
import { OperationSection } from './operation.tsx'
import { Prose } from './prose.tsx'
import '../styles/base.css'
import '../styles/shell.css'
import '../styles/reference.css'

function Reference() {
  const [contract, setContract] = useState<Contract>()
  const [error, setError] = useState<ProblemError>()
  useEffect(() => {
    send<Contract>({ method: 'GET', path: '/openapi.json' }).then(setContract, setError)
  }, [])
  // What the address points at is not there before the contract is.
  useEffect(() => {
    if (contract) document.getElementById(location.hash.slice(1))?.scrollIntoView()
  }, [contract])
  return (
    <>
      <header>
        <div class="bar">
          <a class="wordmark" href="/">
            onepeace
          </a>
          <span class="muted">API reference{contract && ` · ${contract.info.version}`}</span>
          <div class="tools">
            <a class="docs" href="/openapi.json">
              openapi.json
            </a>
          </div>
        </div>
      </header>
      <div class="reference">
        {contract && <Contents contract={contract} />}
        <main>
          <h1 class="hidden">API reference</h1>
          {error && <ProblemNote error={error} />}
          {contract ? <Whole contract={contract} /> : !error && <p class="empty">Loading…</p>}
        </main>
      </div>
    </>
  )
}

const byTag = (contract: Contract) =>
  contract.tags.map((tag) => ({
    ...tag,
    operations: operationsOf(contract).filter(({ operation }) => operation.tags.includes(tag.name)),
  }))

function Contents({ contract }: { contract: Contract }) {
  return (
    <nav class="contents" aria-label="Operations">
      {byTag(contract).map(({ name, operations }) => (
        <section key={name}>
          <h2>{name}</h2>
          <ul>
            {operations.map(({ method, path, operation }) => (
              <li key={operation.operationId}>
                <a href={`#${operation.operationId}`} title={operation.summary}>
                  <span class="method" data-method={method}>
                    {method}
                  </span>{' '}
                  {path.replace('/v1/collections/{collection}/', '…/').replace('/v1/', '')}
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  )
}

function Whole({ contract }: { contract: Contract }) {
  return (
    <>
      <section class="panel intro">
        <h2>{contract.info.summary}</h2>
        <Prose text={contract.info.description} />
      </section>
      {byTag(contract).map(({ name, description, operations }) => (
        <section key={name} class="tag">
          <h2>{name}</h2>
          <p class="muted">{description}</p>
          {operations.map((described) => (
            <OperationSection key={described.operation.operationId} contract={contract} described={described} />
          ))}
        </section>
      ))}
    </>
  )
}

render(<Reference />, document.getElementById('app')!)

import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "../components/button";
import { LoadingBar } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { fromMlflowLink } from "./mlflow-links";
import { AppLink } from "./navigation";
import { paths } from "./paths";
import { Shell } from "./shell";
import { parseSearch, printSearch } from "./url-state";

const lastProjectKey = "lathe.project";

function Crashed({ error, reset }: ErrorComponentProps) {
  return (
    <div className="page-body stack">
      <h1>This page stopped working</h1>
      <ErrorNote error={error} />
      <div className="row">
        <Button onClick={reset}>Try again</Button>
        <Button onClick={() => location.reload()}>Load the page anew</Button>
      </div>
    </div>
  );
}

function Missing() {
  return (
    <div className="page-body stack">
      <h1>There is no such page</h1>
      <p>
        The address leads nowhere. <AppLink href="/">Go to home</AppLink>.
      </p>
    </div>
  );
}

const root = createRootRoute({ component: Outlet, notFoundComponent: Missing });
const start = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: ({ location }) => {
    const href = fromMlflowLink("default", location.hash) ?? paths.home(localStorage.getItem(lastProjectKey) ?? "default");
    throw redirect({ href, replace: true });
  },
});
const project = createRoute({
  getParentRoute: () => root,
  path: "/p/$project",
  component: Shell,
  notFoundComponent: Missing,
  beforeLoad: ({ params }) => localStorage.setItem(lastProjectKey, params.project),
});
const projectStart = createRoute({
  getParentRoute: () => project,
  path: "/",
  beforeLoad: ({ params, location }) => {
    const { project: name } = params as { project: string };
    throw redirect({ href: fromMlflowLink(name, location.hash) ?? paths.home(name), replace: true });
  },
});

// Each page is a chunk of its own, loaded when it is opened.
const pages = [
  createRoute({ getParentRoute: () => project, path: "home", component: lazyRouteComponent(() => import("../routes/home")) }),
  createRoute({ getParentRoute: () => project, path: "experiments", component: lazyRouteComponent(() => import("../routes/experiments")) }),
  createRoute({ getParentRoute: () => project, path: "runs", component: lazyRouteComponent(() => import("../routes/runs")) }),
  createRoute({ getParentRoute: () => project, path: "runs/$runId", component: lazyRouteComponent(() => import("../routes/run")) }),
  createRoute({ getParentRoute: () => project, path: "compare", component: lazyRouteComponent(() => import("../routes/compare")) }),
  createRoute({ getParentRoute: () => project, path: "models", component: lazyRouteComponent(() => import("../routes/models")) }),
  createRoute({ getParentRoute: () => project, path: "models/$name", component: lazyRouteComponent(() => import("../routes/model")) }),
  createRoute({ getParentRoute: () => project, path: "models/$name/versions/$version", component: lazyRouteComponent(() => import("../routes/version")) }),
  createRoute({ getParentRoute: () => project, path: "deployments", component: lazyRouteComponent(() => import("../routes/deployments")) }),
  createRoute({ getParentRoute: () => project, path: "deployments/$name", component: lazyRouteComponent(() => import("../routes/deployment")) }),
  createRoute({ getParentRoute: () => project, path: "data", component: lazyRouteComponent(() => import("../routes/repositories")) }),
  createRoute({ getParentRoute: () => project, path: "data/$name", component: lazyRouteComponent(() => import("../routes/repository")) }),
  createRoute({ getParentRoute: () => project, path: "data/$name/commits/$commit", component: lazyRouteComponent(() => import("../routes/commit")) }),
  createRoute({ getParentRoute: () => project, path: "data/$name/compare", component: lazyRouteComponent(() => import("../routes/compare-data")) }),
  createRoute({ getParentRoute: () => project, path: "pipelines", component: lazyRouteComponent(() => import("../routes/pipelines")) }),
  createRoute({ getParentRoute: () => project, path: "pipelines/$name", component: lazyRouteComponent(() => import("../routes/pipeline")) }),
  createRoute({ getParentRoute: () => project, path: "pipeline-runs/$id", component: lazyRouteComponent(() => import("../routes/pipeline-run")) }),
  createRoute({ getParentRoute: () => project, path: "approvals", component: lazyRouteComponent(() => import("../routes/approvals")) }),
  createRoute({ getParentRoute: () => project, path: "lineage", component: lazyRouteComponent(() => import("../routes/lineage")) }),
  createRoute({ getParentRoute: () => project, path: "audit", component: lazyRouteComponent(() => import("../routes/audit")) }),
  createRoute({ getParentRoute: () => project, path: "tokens", component: lazyRouteComponent(() => import("../routes/tokens")) }),
];

export const router = createRouter({
  routeTree: root.addChildren([start, project.addChildren([projectStart, ...pages])]),
  parseSearch,
  stringifySearch: printSearch,
  defaultErrorComponent: Crashed,
  defaultPendingComponent: LoadingBar,
  scrollRestoration: false,
});

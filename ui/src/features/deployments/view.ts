import { choice, text } from "../../app/url-state";

export const deploymentsView = { search: text("q") };

export const deploymentTabs = ["overview", "try", "traffic", "drift", "quality", "alerts"] as const;
export type DeploymentTab = (typeof deploymentTabs)[number];

export const tabView = { tab: choice("tab", deploymentTabs, "overview") };
export const snippetView = { client: choice("client", ["curl", "python", "triton"] as const, "curl") };

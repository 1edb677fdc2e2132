// Swagger UI over this service's own contract; what is tried out goes to this service alone.
/* global SwaggerUIBundle */
SwaggerUIBundle({
  url: "/openapi.yaml",
  domNode: document.getElementById("reference"),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  tryItOutEnabled: true,
  validatorUrl: null,
});
